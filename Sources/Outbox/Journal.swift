import Inventory
import SQLite

/// The writer's connection, its prepared statements and the mirrors of what is durable. Owned by `Outbox`'s lock.
final class Journal {
    let connection: Connection
    let path: String
    let site: SiteIdentity
    var ordinal: Int64
    var progress: Progress
    var balances = BalanceCache()
    var sources: [String: JournalSource] = [:]
    let upkeep: Upkeep
    var encoder: EventEncoder
    let statements: Statements
    /// Changes after COMMIT returned, as all mirrors do.
    var tree: KeptTree
    var receipts: ReceiptMirror
    /// The last time that a caller gave.
    var now: Timestamp
    /// The mirrors may differ from the file: it must be opened again.
    var isStale = false

    /// Opens or makes the file; only a new one asks the closures, `begunAfter` for the name of a damaged file.
    init(
        path: String, options: OutboxOptions, now: Timestamp, mintEpoch: () -> Epoch, mintInstance: () -> String,
        begunAfter: () -> String?
    ) throws {
        self.path = path
        site = options.site
        let connection = try Connection.openWriter(path: path, vfs: options.vfs)
        self.connection = connection
        try Self.settle(connection)
        try Schema.migrator(programVersion: options.programVersion).migrate(connection, backupPath: path + ".backup")
        if try connection.integer("SELECT count(*) FROM epochs") == 0 {
            let (epoch, instance, damaged) = (mintEpoch(), mintInstance(), begunAfter())
            try connection.transaction {
                try Epochs.insert(epoch, reason: "new outbox", ordinal: 1, connection)
                try connection.execute("INSERT OR REPLACE INTO facts VALUES ('instance', '\(instance)')")
                if let damaged {
                    try AuditLog.insert(
                        AuditEntry(
                            at: now, actor: "agent", action: "epoch", subject: epoch.text,
                            outcome: "begun after damage; the old outbox is kept as \(damaged)"), connection)
                    try connection.execute("INSERT OR REPLACE INTO facts VALUES ('begun_after', '\(damaged)')")
                }
            }
        }
        statements = try Statements(connection)
        upkeep = try Upkeep(connection)
        encoder = EventEncoder(site: options.site)
        try Epochs.finish(connection)
        (ordinal, progress) = try Self.readProgress(connection)
        tree = KeptTree(isEmpty: try connection.integer("SELECT count(*) FROM (SELECT 1 FROM stock LIMIT 1)") == 0)
        receipts = try ReceiptMirror(connection)
        self.now = now
        let rows = try connection.prepare(
            """
            SELECT name, id, horizon, coalesce((SELECT value FROM facts WHERE facts.name = 'rewound:' || sources.name), '0')
            FROM sources
            """)
        while try rows.step() {
            sources[rows.text(0) ?? ""] = JournalSource(
                id: rows.integer(1), horizon: rows.integer(2), rewoundAt: Int64(rows.text(3) ?? "") ?? 0)
        }
    }

    /// Moves what the write-ahead log holds into the file. After a failed fsync the kernel calls pages clean that never
    /// reached the disk: the log would read well until the next power cut and lose what was added behind them. Copied
    /// into the file they are written anew.
    private static func settle(_ connection: Connection) throws {
        let (frames, done) = try connection.checkpoint(truncate: true)
        guard frames <= done else {
            throw SQLiteError(code: 5, message: "a reader is in the way", operation: "empty the write-ahead log")
        }
    }

    static func readProgress(_ connection: Connection) throws -> (Int64, Progress) {
        let ordinal = try connection.integer("SELECT max(ordinal) FROM epochs")
        let text = try connection.text("SELECT text FROM epochs ORDER BY ordinal DESC LIMIT 1") ?? ""
        guard let epoch = Epoch(text) else {
            throw SQLiteError(code: 11, message: "\"\(text)\" is no epoch", operation: "read the outbox's epoch")
        }
        var lanes = ByLane { _ in LaneProgress(head: 0, acked: 0) }
        let select = try connection.prepare("SELECT lane, head, acked FROM lanes WHERE epoch = ?1")
        select.bind(1, ordinal)
        while try select.step() {
            guard let lane = Lane(rawValue: UInt8(select.integer(0))) else { continue }
            lanes[lane] = LaneProgress(head: select.integer(1), acked: select.integer(2))
        }
        return (ordinal, Progress(epoch: epoch, lanes: lanes))
    }

    func fact(_ name: String) throws -> String? { try Self.fact(name, connection) }

    static func fact(_ name: String, _ connection: Connection) throws -> String? {
        let select = try connection.prepare("SELECT value FROM facts WHERE name = ?1")
        select.bind(1, text: name)
        return try select.step() ? select.text(0) : nil
    }

    func forgetFact(_ name: String) throws {
        let delete = try connection.prepare("DELETE FROM facts WHERE name = ?1")
        delete.bind(1, text: name)
        try delete.run()
    }

    func setFact(_ name: String, _ value: String) throws {
        statements.putFact.bind(1, text: name)
        statements.putFact.bind(2, text: value)
        try statements.putFact.run()
    }
}

/// What is prepared once for the life of a connection.
struct Statements {
    let insertCapture, selectPosition, insertEvent, updateLane, ackLane, sizeOf, putCheckpoint: Statement
    let selectStock, upsertStock, insertSeen, selectSeen, deleteSeen, countSeen, insertReject, putFact,
        putMark: Statement

    init(_ connection: Connection) throws {
        insertCapture = try connection.prepare("INSERT INTO captures(source, at, position) VALUES (?1, ?2, ?3)")
        selectPosition = try connection.prepare("SELECT position FROM checkpoints WHERE source = ?1")
        insertEvent = try connection.prepare("INSERT INTO events VALUES (?1, ?2, ?3, ?4)")
        updateLane = try connection.prepare("UPDATE lanes SET head = ?1 WHERE epoch = ?2 AND lane = ?3")
        ackLane = try connection.prepare(
            "UPDATE lanes SET acked = ?1, kept = kept + ?4 WHERE epoch = ?2 AND lane = ?3 AND acked < ?1")
        sizeOf = try connection.prepare(
            "SELECT coalesce(sum(length(payload)), 0) FROM events WHERE slot > ?1 AND slot <= ?2")
        putCheckpoint = try connection.prepare("INSERT OR REPLACE INTO checkpoints VALUES (?1, ?2, ?3, ?4)")
        selectStock = try connection.prepare(BalanceCache.selectSQL)
        upsertStock = try connection.prepare(BalanceCache.upsertSQL)
        insertSeen = try connection.prepare("INSERT OR IGNORE INTO seen VALUES (?1, ?2, ?3, ?4)")
        selectSeen = try connection.prepare("SELECT record FROM seen WHERE source = ?1 AND key = ?2")
        deleteSeen = try connection.prepare("DELETE FROM seen WHERE source = ?1 AND key = ?2")
        countSeen = try connection.prepare(
            """
            INSERT INTO seen_days VALUES (?1, ?2, ?3)
            ON CONFLICT(source, day) DO UPDATE SET count = count + excluded.count
            """)
        insertReject = try connection.prepare(
            "INSERT INTO rejects(source, at, position, code, message, identity, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        )
        putMark = try connection.prepare(Marks.upsertSQL)
        putFact = try connection.prepare("INSERT OR REPLACE INTO facts VALUES (?1, ?2)")
    }
}
