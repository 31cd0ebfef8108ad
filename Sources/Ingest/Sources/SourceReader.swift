import CLinux
import Glibc
package import Inventory

/// What one kind of source is to the agent. It moves on in memory with each read; only a commit makes that durable, so
/// after a failed one it is made anew at the stored checkpoint. One thread.
package protocol SourceReader: AnyObject {
    var name: String { get }
    var mappingVersion: String { get }
    /// Readable when there may be something new; the agent waits on them.
    var watchDescriptors: [Int32] { get }
    /// Monotonic milliseconds of the next periodic look.
    var nextLook: Int64 { get }

    /// Reads what is there, at most about `maxBytes`, and comes back soon; the batch's checkpoint stands at a record
    /// boundary.
    func read(maxBytes: Int, now: Timestamp, monotonic: Int64) throws -> PipelineRead
    /// Maps a reject's bytes again, by the present mapping, under the identity that it had.
    func remap(_ bytes: [UInt8], identity: String, position: String, now: Timestamp) throws -> CapturedRecord
    /// This checkpoint is durable: what waited for it may be done, such as moving a file away.
    func committed(_ checkpoint: Checkpoint)
}

extension SourceReader {
    package func committed(_ checkpoint: Checkpoint) {}
}

package struct PipelineRead {
    package var batch: CaptureBatch?
    package var more = false
    package var status = "ok"
    /// All that the source has was read.
    package var isAtEnd = false
    package var notices: [String] = []
    /// What waits for a technician's word.
    package var hold: SourceHoldNote?

    init() {}

    /// Nothing is read, for this reason.
    package static func waiting(_ reason: String) -> PipelineRead {
        var read = PipelineRead()
        read.status = reason
        return read
    }
}

/// Up to when a source has told all, durably, and since when it was caught up all the time.
package struct LedgerReach: Sendable, Equatable {
    package var since: Timestamp
    package var at: Timestamp

    package init(since: Timestamp, at: Timestamp) {
        self.since = since
        self.at = at
    }
}

/// How a source begins.
package struct SourceBeginning: Sendable {
    package var checkpoint: Checkpoint?
    /// The damaged outbox that knew where it stood: a first start then skips nothing.
    package var lostWith: String?
    package var decision: HoldDecision?
    /// A check that was asked for.
    package var reconcile: ReconcileRequest?
    /// The stock that the other sources add up to; nil: nothing can be checked.
    package var stock: (@Sendable () throws -> any StockView)?
    /// How far the source is that this one checks; nil: nobody knows, and nobody waits for it.
    package var ledger: (@Sendable () -> LedgerReach?)?
    /// What work took is measured with it, in milliseconds.
    package var workClock: @Sendable () -> Int64

    package init(
        checkpoint: Checkpoint? = nil, lostWith: String? = nil, decision: HoldDecision? = nil,
        reconcile: ReconcileRequest? = nil, stock: (@Sendable () throws -> any StockView)? = nil,
        workClock: @escaping @Sendable () -> Int64 = monotonicMilliseconds
    ) {
        self.checkpoint = checkpoint
        self.lostWith = lostWith
        self.decision = decision
        self.reconcile = reconcile
        self.stock = stock
        self.workClock = workClock
    }
}

@Sendable package func monotonicMilliseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
}

extension SourceDefinition {
    /// The reader of this kind of source. Throws `IngestError` for what cannot be used.
    package func reader(
        site: SiteIdentity, rules: InventoryRules, beginning: SourceBeginning
    ) throws -> any SourceReader {
        if drop != nil { return try DropSource(self, site: site, rules: rules, beginning: beginning) }
        return try SourcePipeline(
            self, site: site, rules: rules, checkpoint: beginning.checkpoint, lostWith: beginning.lostWith)
    }
}

/// The `source.loss` of a source, as a record.
struct LossTeller {
    let source: String
    let kind: String
    let site: SiteIdentity
    let object: String

    /// `hashed`: what tells this loss from others of the same place.
    func record(_ loss: SourceLoss, from: String, hashed: String, offset: Int64, now: Timestamp) -> CapturedRecord {
        let hash = Digest(sha256: hashed)
        let origin = Origin(
            source: source, kind: kind, object: object, position: String(offset), key: nil, recordHash: hash)
        return CapturedRecord(
            identity: RecordIdentity(text: "loss:\(from)", recordHash: hash, isTracked: false),
            outcome: .events([EventDraft.loss(loss, site: site, origin: origin, now: now)]), bytes: [],
            position: RecordPosition(object: object, offset: offset))
    }

    /// Where nobody knows what was published, all that is there is read again: ids make the overlap harmless, and what
    /// the exports no longer hold is told.
    func outboxLost(_ file: String, now: Timestamp) -> CapturedRecord {
        let loss = SourceLoss(
            what: "events that the damaged outbox held and had not published", from: "unknown",
            to: "the oldest line that is still there", cause: "the outbox was damaged and is kept as \(file)")
        return record(loss, from: "outbox:\(file)", hashed: file, offset: 0, now: now)
    }
}

/// An inotify descriptor on one directory; network shares never notify, so whoever uses it looks periodically too.
final class DirectoryWatch {
    let descriptor: Int32

    init(_ directory: String) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        let events = UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE)
        inotify_add_watch(descriptor, directory, events)
    }

    deinit { close(descriptor) }

    /// Whether anything happened since.
    func drain() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        var happened = false
        while Glibc.read(descriptor, &buffer, buffer.count) > 0 { happened = true }
        return happened
    }
}

/// Columns that an export did not have before: nothing is lost by them, and somebody may want to know.
enum NewColumns {
    static func told(_ before: [String]?, _ now: [String]?, in file: String) -> [String] {
        guard let before, !before.isEmpty, let now else { return [] }
        let new = now.filter { !before.contains($0) }
        return new.isEmpty ? [] : ["\(file) has new columns: \(new.joined(separator: ", "))"]
    }
}
