import Contract
import FoundationEssentials
import Inventory

// A snapshot on its way: begin, chunks, end. A chunk counts once its description came and fits; its place is stored with it,
// so that after a kill the snapshot goes on from there.

struct SnapshotTaker {
    /// What is stored of it.
    struct Stored: Codable {
        var snapshot: String
        var epoch: String
        var mark: Int64
        var isOwn: Bool
        var sku: String
        var location: String
        var leaf: String?
        var place: SnapshotPlace?
        var keys: Int64
        var lines: String
        /// Why it was asked for.
        var why: String
    }

    enum Step: Equatable {
        case nothing
        /// These lines are to be applied now, and the place stored.
        case apply([BalanceLine])
        /// All came: what was not touched is to be removed.
        case complete
        /// Something is missing: ask again from the last place, or begin anew where it is not ours.
        case again
        case beginAnew
    }

    private(set) var stored: Stored
    private var pending: (lines: [BalanceLine], digest: String)?
    private var hasBegun: Bool
    private var hasMissed = false

    init(_ stored: Stored, isResumed: Bool) {
        self.stored = stored
        hasBegun = isResumed
    }

    static func begin(_ id: String, epoch: Epoch, mark: Int64, scope: SnapshotScope, isOwn: Bool, why: String) -> Stored
    {
        Stored(
            snapshot: id, epoch: epoch.text, mark: mark, isOwn: isOwn, sku: scope.sku, location: scope.location,
            leaf: scope.leaf.map { TreeNode.leaf($0).description }, place: nil, keys: 0,
            lines: LineSum.zero.description, why: why)
    }

    var scope: SnapshotScope {
        SnapshotScope(
            sku: stored.sku, location: stored.location,
            leaf: stored.leaf.flatMap { TreeNode($0) }.map { UInt16($0.index) })
    }

    mutating func begun() { hasBegun = true }

    mutating func take(chunk lines: [BalanceLine], payload: [UInt8]) { pending = (lines, Digest(sha256: payload).hex) }

    /// The description of the chunk before.
    mutating func take(_ chunk: SnapshotChunk) -> Step {
        defer { pending = nil }
        guard hasBegun, let pending, pending.lines.count == chunk.count, pending.digest == chunk.sha256 else {
            hasMissed = true
            return stored.isOwn ? .again : .nothing
        }
        let sum = pending.lines.reduce(LineSum(stored.lines) ?? .zero) { $0 + $1.sum }
        let keys = stored.keys + Int64(chunk.count)
        guard chunk.place.keys == keys, chunk.place.lines == sum.description else {
            hasMissed = true
            return stored.isOwn ? .again : .nothing
        }
        stored.keys = keys
        stored.lines = sum.description
        stored.place = chunk.place
        return .apply(pending.lines)
    }

    mutating func take(end totals: SnapshotTotals) -> Step {
        let isWhole =
            hasBegun && !hasMissed && totals.keys == stored.keys && totals.sum.description == stored.lines
        if isWhole { return .complete }
        return stored.isOwn ? .beginAnew : .nothing
    }

    /// The request ended and named a place where nothing was carried before it.
    mutating func moveOn(to place: SnapshotPlace) { if place.keys == stored.keys { stored.place = place } }

    /// It is asked for again from the last place.
    mutating func resumed() {
        pending = nil
        hasMissed = false
    }
}
