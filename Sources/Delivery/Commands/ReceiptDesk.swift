import Contract
import Inventory
import Outbox

/// Receipts that consumers sent: each is judged at once, and they are written together, since each write waits for the
/// disk.
struct ReceiptDesk {
    enum Judgement: Equatable {
        case good
        /// This outbox and the consumer differ about what stands at that sequence.
        case fork
        case unknownEpoch
    }

    private var waiting: [(command: Command, receipt: Receipt)] = []
    private var since: Int64 = 0

    private static let eager = 64
    private static let gathering: Int64 = 50

    var isEmpty: Bool { waiting.isEmpty }

    static func judge(_ claim: Command.ReceiptClaim, reader: OutboxReader) throws -> Judgement {
        guard let known = try reader.epoch(claim.epoch) else { return .unknownEpoch }
        guard claim.sequence <= known.lanes[claim.lane].head else { return known.isPresent ? .fork : .unknownEpoch }
        let stored = try reader.eventID(lane: claim.lane, of: claim.epoch, sequence: claim.sequence)
        return stored.map { $0 == claim.event } ?? true ? .good : .fork
    }

    mutating func add(_ command: Command, _ receipt: Receipt, now: Int64) {
        if waiting.isEmpty { since = now }
        waiting.append((command, receipt))
    }

    /// What is to be written now; empty: more may come.
    mutating func due(now: Int64) -> [(command: Command, receipt: Receipt)] {
        guard waiting.count >= Self.eager || !waiting.isEmpty && now - since >= Self.gathering else { return [] }
        defer { waiting = [] }
        return waiting
    }

    mutating func lost() { waiting = [] }
}
