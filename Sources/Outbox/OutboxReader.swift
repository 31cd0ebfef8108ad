package import Inventory
import SQLite

/// Reads beside the writer, page by page: no read transaction outlives a page.
package final class OutboxReader {
    private let connection: Connection
    private let select: Statement
    private let ordinal: Statement

    init(path: String) throws {
        connection = try Connection.openReader(path: path)
        select = try connection.prepare(
            "SELECT slot, payload FROM events WHERE slot > ?1 AND slot <= ?2 ORDER BY slot LIMIT ?3")
        ordinal = try connection.prepare("SELECT max(ordinal) FROM epochs")
    }

    /// At most `limit` (512) events of the present epoch after a sequence, in order.
    package func page(lane: Lane, after sequence: Int64, limit: Int64 = 512) throws -> [StoredEvent] {
        precondition((1...512).contains(limit))
        let epoch = try currentOrdinal()
        select.bind(1, Slot(epoch: epoch, lane: lane, sequence: sequence).packed)
        select.bind(2, Slot(epoch: epoch, lane: lane, sequence: (1 << 44) - 1).packed)
        select.bind(3, limit)
        defer { select.reset() }
        var events: [StoredEvent] = []
        while try select.step() {
            events.append(
                StoredEvent(lane: lane, sequence: Slot(packed: select.integer(0)).sequence, payload: select.bytes(1)))
        }
        return events
    }

    private func currentOrdinal() throws -> Int64 {
        defer { ordinal.reset() }
        return try ordinal.step() ? ordinal.integer(0) : 1
    }

    /// The oldest open rejects after an id.
    package func rejects(after id: Int64 = 0, limit: Int64 = 100) throws -> [StoredReject] {
        let select = try connection.prepare(
            "SELECT id, source, at, position, code, message, bytes FROM rejects WHERE id > ?1 ORDER BY id LIMIT ?2")
        select.bind(1, id)
        select.bind(2, limit)
        var rejects: [StoredReject] = []
        while try select.step() {
            rejects.append(
                StoredReject(
                    id: select.integer(0), source: select.text(1) ?? "",
                    at: Timestamp(milliseconds: select.integer(2)), position: select.text(3) ?? "",
                    reason: RejectReason(code: select.text(4) ?? "", message: select.text(5) ?? ""),
                    bytes: select.bytes(6)))
        }
        return rejects
    }

    /// Problems that SQLite's quick check finds; empty is healthy.
    package func quickCheck() throws -> [String] { try connection.quickCheck() }
}
