import Glibc
import Inventory
import SQLite

// What a drop source must remember beyond a checkpoint's 4 KiB: which files it read, and the rows of the last full
// export. It is a file of its own beside the outbox, so that a million rows are compared without the outbox's writer.
//
// The outbox decides what counts. Every write here makes a generation, durable before the batch that names it is handed
// out, and that batch's checkpoint names it. When a source is opened, what is younger than its checkpoint is taken back.
// So rows are not deleted when they go: they get the generation of their death, and are deleted once it is committed.

/// One thread writes; others may read, and find it busy while a large export is compared.
final class SourceMemory {
    let connection: Connection
    /// Of this file, so that a checkpoint which belongs to another one is seen.
    let token: String
    private(set) var generation: Int64
    private var insertFile: Statement?
    private var selectReads: Statement?

    /// In the file that is there, as of the checkpoint; nil begins anew.
    init(path: String, token: String?, generation: Int64) throws {
        connection = try Self.open(path)
        let known = try connection.text("SELECT value FROM meta WHERE name = 'token'")
        let newest = try connection.integer("SELECT value FROM meta WHERE name = 'generation'")
        let oldest = try connection.integer("SELECT value FROM meta WHERE name = 'floor'")
        if let token, known == token, (oldest...max(oldest, newest)).contains(generation) {
            self.token = token
            self.generation = generation
            try takeBack()
        } else {
            self.token = hexText(UInt64.random(in: 0...UInt64.max))
            self.generation = 0
            try begin()
        }
    }

    static func path(of source: String, in directory: String) -> String { "\(directory)/source-\(source).sqlite" }

    /// For whoever looks beside the source; nil: it remembers nothing yet. Busy while a large export is being compared.
    static func reader(of source: String, in directory: String) throws(SQLiteError) -> Connection? {
        let path = path(of: source, in: directory)
        return access(path, F_OK) == 0 ? try Connection(path: path, mode: .readOnly) : nil
    }

    private static func open(_ path: String) throws -> Connection {
        do { return try prepared(path) } catch let error where error.isCorrupt {
            // Nothing but what can be found again: files are read once more, and levels that did not change say nothing.
            unlink(path)
            unlink(path + "-journal")
            return try prepared(path)
        }
    }

    private static func prepared(_ path: String) throws(SQLiteError) -> Connection {
        let connection = try Connection(path: path, mode: .readWriteCreate)
        try connection.execute(
            """
            PRAGMA page_size = 8192;
            PRAGMA journal_mode = TRUNCATE;
            PRAGMA synchronous = FULL;
            PRAGMA cache_size = -6000;
            \(schema)
            """)
        if try connection.integer("SELECT count(*) FROM pragma_table_info('files') WHERE name = 'reason'") == 0 {
            try connection.execute("ALTER TABLE files ADD COLUMN reason TEXT NOT NULL DEFAULT ''")
        }
        return connection
    }

    /// `rows.kind`: 0 a level, 1 knowingly not inventory, 2 a reject. `died` 0: it is in the last export.
    private static let schema = """
        CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS files(n INTEGER PRIMARY KEY, generation INTEGER NOT NULL, name TEXT NOT NULL,
            stamp TEXT NOT NULL, hash TEXT NOT NULL, at INTEGER NOT NULL, outcome TEXT NOT NULL,
            reason TEXT NOT NULL DEFAULT '');
        DROP INDEX IF EXISTS files_by_hash;
        CREATE INDEX IF NOT EXISTS files_by_stamp ON files(stamp);
        CREATE TABLE IF NOT EXISTS rows(id INTEGER PRIMARY KEY, hash BLOB NOT NULL, key TEXT, kind INTEGER NOT NULL,
            unrestricted INTEGER, quarantined INTEGER, damaged INTEGER, blocked INTEGER, allocated INTEGER,
            in_transit INTEGER, born INTEGER NOT NULL, died INTEGER NOT NULL);
        \(rowIndexes)
        CREATE INDEX IF NOT EXISTS dead_rows ON rows(died) WHERE died > 0;
        CREATE INDEX IF NOT EXISTS blind_rows ON rows(kind) WHERE kind = 2;
        CREATE TABLE IF NOT EXISTS changes(key TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS drifts(key TEXT PRIMARY KEY, generation INTEGER NOT NULL, figures TEXT NOT NULL,
            cause TEXT NOT NULL, export TEXT NOT NULL, as_of INTEGER NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID;
        """

    static let rowIndexes = """
        CREATE INDEX IF NOT EXISTS rows_by_hash ON rows(hash, died);
        CREATE INDEX IF NOT EXISTS rows_by_key ON rows(key);
        """

    private func begin() throws {
        try connection.transaction {
            for table in ["meta", "files", "rows", "changes", "drifts"] {
                try connection.execute("DELETE FROM \(table)")
            }
            try put("token", text: token)
            try put("generation", 0)
            try put("floor", 0)
        }
    }

    /// What no committed checkpoint names did not happen.
    private func takeBack() throws {
        let known = generation
        try connection.transaction {
            try connection.execute("DELETE FROM files WHERE generation > \(known)")
            try connection.execute("DELETE FROM drifts WHERE generation > \(known)")
            if try rowsGeneration > known {
                try connection.execute("DELETE FROM rows WHERE born > \(known)")
                try connection.execute("UPDATE rows SET died = 0 WHERE died > \(known)")
                try connection.execute("DELETE FROM changes")
                try put("rows", known)
            }
            try put("generation", known)
        }
    }

    // MARK: writing

    /// The next generation; what `body` writes is durable on return.
    func write(_ body: (Int64) throws -> Void) throws {
        let next = generation + 1
        try connection.transaction {
            try body(next)
            try put("generation", next)
        }
        generation = next
    }

    /// The same in steps: `begin`, then `finish` or `abandon`.
    func beginLong() throws -> Int64 {
        try connection.execute("BEGIN IMMEDIATE")
        return generation + 1
    }

    func finishLong() throws {
        try put("generation", generation + 1)
        try put("rows", generation + 1)
        try connection.execute("COMMIT")
        generation += 1
    }

    /// The generation of the last full export, or the one that rows were taken back to.
    var rowsGeneration: Int64 {
        get throws { try connection.integer("SELECT value FROM meta WHERE name = 'rows'") }
    }

    func abandonLong() { if connection.isInTransaction { try? connection.execute("ROLLBACK") } }

    /// This generation is committed: it will never be taken back, so what died up to it may go, at most `rows` of them.
    /// False when more is left.
    func settle(_ committed: Int64, rows: Int = 2_000) throws -> Bool {
        let dead = "SELECT id FROM rows WHERE died > 0 AND died <= \(committed) LIMIT \(rows)"
        guard try connection.integer("SELECT count(*) FROM (\(dead))") > 0 else { return true }
        return try connection.transaction {
            try connection.execute("DELETE FROM rows WHERE id IN (\(dead))")
            let deleted = connection.changes
            try put("floor", committed)
            return deleted < rows
        }
    }

    private func put(_ name: String, _ value: Int64) throws {
        try connection.execute("INSERT OR REPLACE INTO meta VALUES ('\(name)', \(value))")
    }

    func put(_ name: String, text: String) throws {
        let insert = try connection.prepare("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")
        insert.bind(1, text: name)
        insert.bind(2, text: text)
        try insert.run()
    }

    func text(_ name: String) throws -> String? {
        let select = try connection.prepare("SELECT value FROM meta WHERE name = ?1")
        select.bind(1, text: name)
        return try select.step() ? select.text(0) : nil
    }
}

// MARK: files

/// What became of a dropped file.
enum FileOutcome: String {
    case read, refused, repeated, skipped
}

extension SourceMemory {
    /// The last `mostFiles` are remembered.
    private static let mostFiles = 200_000

    /// Within `write`.
    func note(
        _ entry: DropEntry, hash: String, _ outcome: FileOutcome, _ reason: String = "", at now: Timestamp,
        generation: Int64
    ) throws {
        let insert =
            try insertFile
            ?? connection.prepare(
                "INSERT INTO files(generation, name, stamp, hash, at, outcome, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
            )
        insertFile = insert
        insert.bind(1, generation)
        insert.bind(2, text: entry.name)
        insert.bind(3, text: entry.stamp)
        insert.bind(4, text: hash)
        insert.bind(5, now.milliseconds)
        insert.bind(6, text: outcome.rawValue)
        insert.bind(7, text: reason)
        try insert.run()
    }

    /// Forgets the oldest files beyond `mostFiles`; within `write`.
    func forgetOldFiles() throws {
        try connection.execute("DELETE FROM files WHERE n <= (SELECT max(n) FROM files) - \(Self.mostFiles)")
    }

    /// The stamps of all files that are not to be read again, each as a hash of 64 bits: a directory may hold 100,000.
    func stamps() throws -> Set<UInt64> { try hashes("SELECT stamp FROM files") }

    /// The contents that were read, in the same way: an index of them in the file would be written at random places, a page
    /// for each file.
    func contents() throws -> Set<UInt64> { try hashes("SELECT hash FROM files WHERE outcome = 'read'") }

    private func hashes(_ query: String) throws -> Set<UInt64> {
        let select = try connection.prepare(query)
        var hashes: Set<UInt64> = []
        while try select.step() { hashes.insert(Digest(sha256: select.text(0) ?? "").prefix8) }
        return hashes
    }

    /// What became of a file in this state of it.
    func outcome(_ stamp: String) throws -> FileOutcome? {
        let select = try connection.prepare("SELECT outcome FROM files WHERE stamp = ?1 ORDER BY n DESC LIMIT 1")
        select.bind(1, text: stamp)
        return try select.step() ? select.text(0).flatMap { FileOutcome(rawValue: $0) } : nil
    }

    /// The latest file that was read with this content, and how many there were. Looks at all files.
    func reads(of hash: String) throws -> (name: String, at: Timestamp, count: Int64)? {
        let select =
            try selectReads
            ?? connection.prepare("SELECT name, max(at), count(*) FROM files WHERE hash = ?1 AND outcome = 'read'")
        selectReads = select
        defer { select.reset() }
        select.bind(1, text: hash)
        guard try select.step(), let name = select.text(0) else { return nil }
        return (name, Timestamp(milliseconds: select.integer(1)), select.integer(2))
    }
}
