package import Inventory
import SQLite

/// Reads beside the writer, page by page: no read transaction outlives a page.
///
/// When the file is set aside because it is damaged, every further call throws `OutboxError` (`setAside`): take a new
/// reader and look at the epoch again.
package final class OutboxReader {
    private let outbox: Outbox
    let life: Int
    let connection: Connection
    private let select: Statement
    private let ordinal: Statement

    init(_ outbox: Outbox, life: Int) throws {
        self.outbox = outbox
        self.life = life
        connection = try Connection.openReader(path: outbox.path, vfs: outbox.options.vfs)
        select = try connection.prepare(
            "SELECT slot, payload FROM events WHERE slot > ?1 AND slot <= ?2 ORDER BY slot LIMIT ?3")
        ordinal = try connection.prepare("SELECT max(ordinal) FROM epochs")
    }

    /// At most `limit` (512) events of the present epoch after a sequence, in order.
    package func page(lane: Lane, after sequence: Int64, limit: Int64 = 512) throws -> [StoredEvent] {
        precondition((1...512).contains(limit))
        return try read {
            let epoch = try currentOrdinal()
            select.bind(1, Slot(epoch: epoch, lane: lane, sequence: sequence).packed)
            select.bind(2, Slot(epoch: epoch, lane: lane, sequence: (1 << 44) - 1).packed)
            select.bind(3, limit)
            defer { select.reset() }
            var events: [StoredEvent] = []
            while try select.step() {
                let slot = Slot(packed: select.integer(0))
                events.append(StoredEvent(lane: lane, sequence: slot.sequence, payload: select.bytes(1)))
            }
            return events
        }
    }

    private func currentOrdinal() throws -> Int64 {
        defer { ordinal.reset() }
        return try ordinal.step() ? ordinal.integer(0) : 1
    }

    /// The oldest open rejects after an id, of one source or of all; at most `limit` (1,000).
    package func rejects(source: String? = nil, after id: Int64 = 0, limit: Int64 = 100) throws -> [StoredReject] {
        precondition((1...1_000).contains(limit))
        return try read { try Rejects.list(connection, source: source, after: id, limit: limit) }
    }

    /// Nil when it is not open any more.
    package func reject(_ id: Int64) throws -> StoredReject? { try read { try Rejects.find(id, connection) } }

    /// How many are open, of one source or of all.
    package func openRejects(_ source: String? = nil) throws -> Int64 {
        try read { try Rejects.count(connection, source: source) }
    }

    /// Problems that SQLite's quick check finds; empty is healthy.
    package func quickCheck() throws -> [String] { try read { try connection.quickCheck() } }

    func read<T>(_ body: () throws -> T) throws -> T {
        guard life == outbox.life else { throw OutboxError.begunAnew }
        do { return try body() } catch let error as SQLiteError where error.isCorrupt {
            throw outbox.readerFound(error, life: life)
        }
    }
}

extension Outbox {
    /// Problems of a file that no agent has open, at most 20; empty is healthy. Changes neither the file nor its log.
    package static func problems(of path: String) throws -> [String] {
        do { return try Connection(path: path, mode: .readOnly).quickCheck() } catch {
            guard error.isCorrupt else { throw error }
            return [error.message]
        }
    }
}
