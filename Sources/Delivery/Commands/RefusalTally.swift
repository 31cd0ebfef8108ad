import Contract
import Inventory
import Outbox

/// Refused commands on their way to the audit log: the first of a kind at once, further ones counted, since each entry is
/// a commit and whoever sends thousands must not decide how many there are.
struct RefusalTally {
    private struct Kind: Hashable {
        let requester: String
        let verb: String
        let code: String
    }

    private struct Count {
        var first: String
        var since: Int64
        var more = 0
    }

    private var counts: [Kind: Count] = [:]

    private static let interval: Int64 = 60_000
    /// Names come from outside.
    private static let mostKinds = 64

    /// An entry to write now; nil: it is counted.
    mutating func note(_ refused: CommandGate.Refused, now: Timestamp, monotonic: Int64) -> AuditEntry? {
        let kind = Kind(
            requester: refused.requester, verb: String(refused.verb.prefix(32)), code: refused.code.rawValue)
        if counts[kind] != nil {
            counts[kind]?.more += 1
            return nil
        }
        guard counts.count < Self.mostKinds else { return nil }
        counts[kind] = Count(first: refused.message, since: monotonic)
        return entry(kind, "\(kind.code): \(refused.message)", now)
    }

    /// What was counted, once a minute.
    mutating func due(now: Timestamp, monotonic: Int64) -> [AuditEntry] {
        let over = counts.filter { monotonic - $0.value.since >= Self.interval }
        for kind in over.keys { counts[kind] = nil }
        return over.filter { $0.value.more > 0 }.map {
            entry($0.key, "\($0.key.code): \($0.value.more) more within a minute", now)
        }
    }

    private func entry(_ kind: Kind, _ outcome: String, _ now: Timestamp) -> AuditEntry {
        AuditEntry(
            at: now, actor: kind.requester.isEmpty ? "requester unknown" : "requester \(kind.requester)",
            action: kind.verb.isEmpty ? "command" : kind.verb, subject: "", outcome: "rejected \(outcome)")
    }
}
