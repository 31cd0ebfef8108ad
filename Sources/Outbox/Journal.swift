import Inventory
import SQLite

/// The writer's connection, its prepared statements and the mirrors of what is durable. Owned by `Outbox`'s lock.
final class Journal {
    let connection: Connection
    let path: String
    var ordinal: Int64
    var progress: Progress
    var balances = BalanceCache()
    var encoder: EventEncoder
    let statements: Statements
    /// The days that `seen` has partitions of, as a JSON list.
    private(set) var seenDaysJSON: String
    private var seenDays: [Int64]

    struct Statements {
        let insertCapture, insertEvent, updateLane, ackLane, putCheckpoint, selectStock, upsertStock: Statement
        let insertSeen, selectSeen, insertReject, putFact: Statement

        init(_ connection: Connection) throws {
            insertCapture = try connection.prepare("INSERT INTO captures(source, at, position) VALUES (?1, ?2, ?3)")
            insertEvent = try connection.prepare("INSERT INTO events VALUES (?1, ?2, ?3, ?4)")
            updateLane = try connection.prepare("UPDATE lanes SET head = ?1 WHERE epoch = ?2 AND lane = ?3")
            ackLane = try connection.prepare("UPDATE lanes SET acked = ?1 WHERE epoch = ?2 AND lane = ?3 AND acked < ?1")
            putCheckpoint = try connection.prepare("INSERT OR REPLACE INTO checkpoints VALUES (?1, ?2, ?3, ?4)")
            selectStock = try connection.prepare(BalanceCache.selectSQL)
            upsertStock = try connection.prepare(BalanceCache.upsertSQL)
            insertSeen = try connection.prepare("INSERT OR IGNORE INTO seen VALUES (?1, ?2, ?3, ?4)")
            selectSeen = try connection.prepare(
                """
                SELECT record FROM seen WHERE source = ?1 AND hash = ?2
                AND day IN (SELECT value FROM json_each(?3))
                """)
            insertReject = try connection.prepare(
                "INSERT INTO rejects(source, at, position, code, message, identity, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
            putFact = try connection.prepare("INSERT OR REPLACE INTO facts VALUES (?1, ?2)")
        }
    }

    /// Opens or makes the file; `mintEpoch` is asked only for a new one.
    init(path: String, options: OutboxOptions, mintEpoch: () -> Epoch, mintInstance: () -> String) throws {
        self.path = path
        connection = try Connection.openWriter(path: path)
        try Schema.migrator(programVersion: options.programVersion).migrate(connection, backupPath: path + ".backup")
        if try connection.integer("SELECT count(*) FROM epochs") == 0 {
            try Self.begin(connection, epoch: mintEpoch(), reason: "new outbox", ordinal: 1)
            try connection.execute("INSERT OR REPLACE INTO facts VALUES ('instance', '\(mintInstance())')")
        }
        statements = try Statements(connection)
        encoder = EventEncoder(site: options.site)
        (ordinal, progress) = try Self.readProgress(connection)
        let days = try connection.prepare("SELECT json_each.value FROM facts, json_each(facts.value) WHERE name = 'seen_days'")
        seenDays = []
        while try days.step() { seenDays.append(days.integer(0)) }
        seenDaysJSON = "\(seenDays)"
    }

    /// A day's partition was written to.
    func noteSeen(day: Int64) throws {
        guard !seenDays.contains(day) else { return }
        try setFact("seen_days", "\(seenDays + [day])")
        seenDays.append(day)
        seenDaysJSON = "\(seenDays)"
    }

    /// Forgets identities seen before a day.
    func dropSeen(before day: Int64) throws {
        guard seenDays.contains(where: { $0 < day }) else { return }
        try connection.transaction {
            try connection.execute("DELETE FROM seen WHERE day < \(day)")
            try setFact("seen_days", "\(seenDays.filter { $0 >= day })")
        }
        seenDays.removeAll { $0 < day }
        seenDaysJSON = "\(seenDays)"
    }

    static func begin(_ connection: Connection, epoch: Epoch, reason: String, ordinal: Int64) throws {
        try connection.transaction {
            let insert = try connection.prepare("INSERT INTO epochs VALUES (?1, ?2, ?3)")
            insert.bind(1, ordinal)
            insert.bind(2, text: epoch.text)
            insert.bind(3, text: reason)
            try insert.run()
            for lane in Lane.allCases {
                try connection.execute("INSERT INTO lanes VALUES (\(lane.rawValue), \(ordinal), 0, 0)")
            }
        }
    }

    static func readProgress(_ connection: Connection) throws -> (Int64, Progress) {
        let ordinal = try connection.integer("SELECT max(ordinal) FROM epochs")
        let text = try connection.text("SELECT text FROM epochs ORDER BY ordinal DESC LIMIT 1") ?? ""
        guard let epoch = Epoch(text) else {
            throw SQLiteError(code: 11, message: "\"\(text)\" is no epoch", operation: "read the outbox's epoch")
        }
        var lanes: [Lane: LaneProgress] = [:]
        let select = try connection.prepare("SELECT lane, head, acked FROM lanes WHERE epoch = ?1")
        select.bind(1, ordinal)
        while try select.step() {
            guard let lane = Lane(rawValue: UInt8(select.integer(0))) else { continue }
            lanes[lane] = LaneProgress(head: select.integer(1), acked: select.integer(2))
        }
        return (ordinal, Progress(epoch: epoch, lanes: lanes))
    }

    func fact(_ name: String) throws -> String? {
        let select = try connection.prepare("SELECT value FROM facts WHERE name = ?1")
        select.bind(1, text: name)
        return try select.step() ? select.text(0) : nil
    }

    func setFact(_ name: String, _ value: String) throws {
        statements.putFact.bind(1, text: name)
        statements.putFact.bind(2, text: value)
        try statements.putFact.run()
    }
}
