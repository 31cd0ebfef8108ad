import Contract
import Inventory

// What is asked of one agent and not answered yet: at most one of a kind at a time. A pure value.

struct Requests {
    enum Kind: Hashable {
        case replay(epoch: Epoch, Lane)
        case resync, digest
        case receipt(Lane)
    }

    struct Outstanding {
        var id: String
        var deadline: Int64
        /// How often in a row the kind went without an answer or a use.
        var attempts: Int
    }

    private var outstanding: [Kind: Outstanding] = [:]
    private var notBefore: [Kind: Int64] = [:]
    private var attempts: [Kind: Int] = [:]
    /// How far the agent's clock is ahead of ours, once it said so.
    var clockOffset: Int64 = 0

    static let patience: Int64 = 15_000
    private static let longestWait: Int64 = 60_000

    func mayAsk(_ kind: Kind, now: Int64) -> Bool { outstanding[kind] == nil && now >= notBefore[kind] ?? 0 }

    mutating func asked(_ kind: Kind, id: String, now: Int64) {
        outstanding[kind] = Outstanding(id: id, deadline: now + Self.patience, attempts: attempts[kind] ?? 0)
    }

    /// The kind of the request that a reply answers; nil for a reply to nothing that is outstanding.
    func kind(of id: String) -> Kind? { outstanding.first { $0.value.id == id }?.key }

    /// Something came of it.
    mutating func moved(_ kind: Kind, now: Int64) { outstanding[kind]?.deadline = now + Self.patience }

    /// It is over, well.
    mutating func ended(_ kind: Kind) {
        outstanding[kind] = nil
        attempts[kind] = nil
        notBefore[kind] = nil
    }

    /// It is over, and is not asked again at once.
    mutating func failed(_ kind: Kind, wait: Int64, now: Int64) {
        outstanding[kind] = nil
        attempts[kind, default: 0] += 1
        notBefore[kind] = now + min(Self.longestWait, wait << Int64(min(attempts[kind] ?? 1, 8) - 1))
    }

    /// Those that nobody answered; they may be asked again after a pause.
    mutating func overdue(now: Int64) -> [Kind] {
        let late = outstanding.filter { now >= $0.value.deadline }.map(\.key)
        for kind in late { failed(kind, wait: 1_000, now: now) }
        return late
    }

    /// The connection was lost, and answers with it.
    mutating func lost() { outstanding = [:] }

    /// When something may become due after this moment; nil: nothing will.
    func nextDeadline(after now: Int64) -> Int64? {
        (outstanding.values.map(\.deadline) + Array(notBefore.values)).filter { $0 > now }.min()
    }
}
