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
    private let ordinalOfText: Statement
    /// Prepared when a key is first asked for.
    var selectKnown: Statement?

    init(_ outbox: Outbox, life: Int) throws {
        self.outbox = outbox
        self.life = life
        connection = try Connection.openReader(path: outbox.path, vfs: outbox.options.vfs)
        select = try connection.prepare(
            "SELECT slot, payload FROM events WHERE slot > ?1 AND slot <= ?2 ORDER BY slot LIMIT ?3")
        ordinalOfText = try connection.prepare("SELECT ordinal FROM epochs WHERE text = ?1")
    }

    /// At most `limit` (512) events of the present epoch after a sequence, in order.
    package func page(lane: Lane, after sequence: Int64, limit: Int64 = 512) throws -> [StoredEvent] {
        try read {
            let present = try connection.integer("SELECT max(ordinal) FROM epochs")
            return try page(lane: lane, ordinal: present, after: sequence, through: Slot.lastSequence, limit: limit)
        }
    }

    /// The same of whatever epoch, up to a sequence. Empty where the file does not hold the epoch; while a later one is
    /// being begun, what is not acked leaves this one from its lowest sequence on.
    package func page(
        lane: Lane, of epoch: Epoch, after sequence: Int64, through last: Int64 = .max, limit: Int64 = 512
    ) throws -> [StoredEvent] {
        guard last > sequence else { return [] }
        return try read {
            guard let ordinal = try ordinal(of: epoch) else { return [] }
            return try page(lane: lane, ordinal: ordinal, after: sequence, through: last, limit: limit)
        }
    }

    private func page(
        lane: Lane, ordinal: Int64, after sequence: Int64, through last: Int64, limit: Int64
    ) throws -> [StoredEvent] {
        precondition((1...512).contains(limit))
        select.bind(1, Slot(epoch: ordinal, lane: lane, sequence: sequence).packed)
        select.bind(2, Slot(epoch: ordinal, lane: lane, sequence: min(last, Slot.lastSequence)).packed)
        select.bind(3, limit)
        defer { select.reset() }
        var events: [StoredEvent] = []
        while try select.step() {
            let slot = Slot(packed: select.integer(0))
            events.append(StoredEvent(lane: lane, sequence: slot.sequence, payload: select.bytes(1)))
        }
        return events
    }

    /// Nil for an epoch that this file does not hold.
    func ordinal(of epoch: Epoch) throws -> Int64? {
        ordinalOfText.bind(1, text: epoch.text)
        defer { ordinalOfText.reset() }
        return try ordinalOfText.step() ? ordinalOfText.integer(0) : nil
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
