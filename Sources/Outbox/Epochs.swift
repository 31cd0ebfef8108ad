import Inventory
import SQLite

// A new epoch: all lanes start again at 1, and what is not acked moves into it in its order.
//
// The epoch's row and empty lanes commit first, then the events in pages. A kill in between leaves un-acked events under
// the old epoch, and they are what is still to be moved: opening the file goes on before anything else is done with it.

enum Epochs {
    /// Never more rows than this in one transaction.
    private static let page: Int64 = 512

    static func start(
        _ journal: Journal, above: [Epoch], reason: String, actor: String, now: Timestamp
    ) throws -> Epoch {
        let old = journal.progress.epoch
        let epoch = Epoch.mint(now: now, above: above + [old], random: .random(in: 0...UInt16.max))
        guard Epoch(epoch.text) != nil else {
            throw OutboxError(
                code: .directory, message: "no epoch is left after \(old.text)",
                hint: "an epoch of the year 9999 was announced for this site; clear its retained messages at the broker"
            )
        }
        journal.isStale = true
        try journal.connection.transaction {
            try insert(epoch, reason: reason, ordinal: journal.ordinal + 1, journal.connection)
            try AuditLog.insert(
                AuditEntry(at: now, actor: actor, action: "epoch", subject: epoch.text, outcome: "begun: \(reason)"),
                journal.connection)
        }
        try finish(journal.connection)
        (journal.ordinal, journal.progress) = try Journal.readProgress(journal.connection)
        journal.isStale = false
        return epoch
    }

    /// Within the caller's transaction.
    static func insert(_ epoch: Epoch, reason: String, ordinal: Int64, _ connection: Connection) throws {
        let insert = try connection.prepare("INSERT INTO epochs VALUES (?1, ?2, ?3)")
        insert.bind(1, ordinal)
        insert.bind(2, text: epoch.text)
        insert.bind(3, text: reason)
        try insert.run()
        for lane in Lane.allCases {
            try connection.execute("INSERT INTO lanes VALUES (\(lane.rawValue), \(ordinal), 0, 0, 0)")
        }
    }

    /// Moves what an older epoch still has un-acked.
    static func finish(_ connection: Connection) throws {
        let ordinal = try connection.integer("SELECT max(ordinal) FROM epochs")
        let text = try connection.text("SELECT text FROM epochs ORDER BY ordinal DESC LIMIT 1") ?? ""
        guard ordinal > 1, let epoch = Epoch(text) else { return }
        for lane in Lane.allCases {
            let mover = try LaneMover(connection, lane: lane, ordinal: ordinal, epoch: epoch)
            while try mover.movePage(limit: page) {}
        }
    }
}

private struct LaneMover {
    let connection: Connection
    let lane: Lane
    let ordinal: Int64
    let epoch: Epoch
    private let read: Statement
    private let update: Statement

    init(_ connection: Connection, lane: Lane, ordinal: Int64, epoch: Epoch) throws {
        self.connection = connection
        self.lane = lane
        self.ordinal = ordinal
        self.epoch = epoch
        read = try connection.prepare(
            "SELECT slot, payload FROM events WHERE slot > ?1 AND slot <= ?2 ORDER BY slot LIMIT ?3")
        update = try connection.prepare("UPDATE events SET slot = ?1, payload = ?2 WHERE slot = ?3")
    }

    /// False when nothing is left.
    func movePage(limit: Int64) throws -> Bool {
        let old = ordinal - 1
        let place = "WHERE epoch = \(old) AND lane = \(lane.rawValue)"
        let acked = try connection.integer("SELECT acked FROM lanes \(place)")
        let head = try connection.integer("SELECT head FROM lanes \(place)")
        guard head > acked else { return false }
        let rows = try page(after: acked, through: head, limit: limit)
        try connection.transaction {
            let here = "WHERE epoch = \(ordinal) AND lane = \(lane.rawValue)"
            var moved = try connection.integer("SELECT head FROM lanes \(here)")
            for var row in rows {
                moved += 1
                EventEncoder.readdress(&row.payload, sequence: moved, epoch: epoch)
                update.bind(1, Slot(epoch: ordinal, lane: lane, sequence: moved).packed)
                update.bind(2, bytes: row.payload)
                update.bind(3, row.slot)
                try update.run()
            }
            try connection.execute("UPDATE lanes SET head = \(moved) \(here)")
            if rows.count < limit { try connection.execute("UPDATE lanes SET head = acked \(place)") }
        }
        return rows.count == limit
    }

    private func page(after: Int64, through: Int64, limit: Int64) throws -> [(slot: Int64, payload: [UInt8])] {
        read.bind(1, Slot(epoch: ordinal - 1, lane: lane, sequence: after).packed)
        read.bind(2, Slot(epoch: ordinal - 1, lane: lane, sequence: through).packed)
        read.bind(3, limit)
        defer { read.reset() }
        var rows: [(slot: Int64, payload: [UInt8])] = []
        while try read.step() { rows.append((read.integer(0), read.bytes(1))) }
        return rows
    }
}
