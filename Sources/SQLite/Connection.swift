import CSQLite

/// One connection to one database file. Not Sendable: one thread at a time. Closes when released.
///
/// After an I/O error in COMMIT nobody knows what is on disk: the connection is then `isBroken`, every further call
/// throws, and the owner opens the file again.
package final class Connection {
    package enum Mode: Sendable { case readWriteCreate, readOnly, memory }

    package let handle: OpaquePointer
    package private(set) var isBroken = false
    private static let library: Void = { _ = waybill_sqlite_config_no_memory_statistics() }()
    private var functions: [AnyObject] = []
    var authorizer: AnyObject?

    package init(path: String, mode: Mode, vfs: String? = nil) throws(SQLiteError) {
        _ = Self.library
        var opened: OpaquePointer?
        let flags =
            switch mode {
            case .readWriteCreate: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            case .readOnly: SQLITE_OPEN_READONLY
            case .memory: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY
            }
        let name = mode == .memory ? ":memory:" : path
        let code = sqlite3_open_v2(name, &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs)
        guard code == SQLITE_OK, let opened else {
            let message = opened.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
            sqlite3_close_v2(opened)
            throw SQLiteError(code: code, message: message, operation: "open \(name)")
        }
        handle = opened
        sqlite3_busy_timeout(handle, 5_000)
        _ = waybill_sqlite_config_defensive(handle, 1)
        _ = waybill_sqlite_config_trusted_schema(handle, 0)
        _ = waybill_sqlite_config_no_double_quoted_strings(handle)
    }

    deinit { sqlite3_close_v2(handle) }

    /// The one writer of a file: WAL, every commit on disk before it returns. A page holds several events of about 1 KB,
    /// so that a burst costs half the writes that it would with SQLite's usual 4 KiB.
    package static func openWriter(path: String, vfs: String? = nil) throws(SQLiteError) -> Connection {
        let connection = try Connection(path: path, mode: .readWriteCreate, vfs: vfs)
        try connection.execute(
            """
            PRAGMA page_size = 8192;
            PRAGMA auto_vacuum = INCREMENTAL;
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL;
            PRAGMA cache_size = -2000;
            PRAGMA temp_store = MEMORY;
            PRAGMA foreign_keys = OFF;
            """)
        return connection
    }

    /// A reader beside the writer; it cannot change anything.
    package static func openReader(path: String, vfs: String? = nil) throws(SQLiteError) -> Connection {
        let connection = try Connection(path: path, mode: .readWriteCreate, vfs: vfs)
        try connection.execute("PRAGMA query_only = ON; PRAGMA cache_size = -1000; PRAGMA temp_store = MEMORY;")
        return connection
    }

    package var changes: Int { Int(sqlite3_changes64(handle)) }
    package var lastInsertRowID: Int64 { sqlite3_last_insert_rowid(handle) }
    package var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    /// Runs statements that return nothing.
    package func execute(_ sql: String) throws(SQLiteError) {
        try refuseWhenBroken(sql)
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw error(code, operation: sql) }
    }

    /// Prepares one statement for repeated use.
    package func prepare(_ sql: String) throws(SQLiteError) -> Statement {
        try refuseWhenBroken(sql)
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw error(code, operation: sql) }
        return Statement(statement, connection: self, sql: sql)
    }

    /// The first column of the first row; 0 without a row.
    package func integer(_ sql: String) throws(SQLiteError) -> Int64 {
        let statement = try prepare(sql)
        return try statement.step() ? statement.integer(0) : 0
    }

    package func text(_ sql: String) throws(SQLiteError) -> String? {
        let statement = try prepare(sql)
        return try statement.step() ? statement.text(0) : nil
    }

    /// Everything in `body` commits together, durably on return, or not at all.
    package func transaction<T>(_ body: () throws -> T) throws -> T {
        try execute("BEGIN IMMEDIATE")
        let result: T
        do { result = try body() } catch {
            rollBack()
            throw error
        }
        do { try execute("COMMIT") } catch {
            if error.isIOError { isBroken = true }
            rollBack()
            throw error
        }
        return result
    }

    /// Everything in `body` sees one state of the file. Keep it short: an open reader stops WAL reuse.
    package func snapshot<T>(_ body: () throws -> T) throws -> T {
        try execute("BEGIN")
        defer { rollBack() }
        return try body()
    }

    private func rollBack() {
        if isInTransaction { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
    }

    /// Moves WAL frames into the file; `truncate` also empties the WAL, when no reader is in the way.
    @discardableResult
    package func checkpoint(truncate: Bool) throws(SQLiteError) -> (walFrames: Int, checkpointed: Int) {
        var frames: Int32 = 0
        var done: Int32 = 0
        let mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE
        let code = sqlite3_wal_checkpoint_v2(handle, nil, mode, &frames, &done)
        guard code == SQLITE_OK || code & 0xFF == SQLITE_BUSY else { throw error(code, operation: "checkpoint") }
        return (Int(frames), Int(done))
    }

    /// Copies the whole database to a new file.
    package func backup(to path: String, vfs: String? = nil) throws(SQLiteError) {
        let target = try Connection(path: path, mode: .readWriteCreate, vfs: vfs)
        guard let backup = sqlite3_backup_init(target.handle, "main", handle, "main") else {
            throw target.error(sqlite3_errcode(target.handle), operation: "backup to \(path)")
        }
        sqlite3_backup_step(backup, -1)
        let code = sqlite3_backup_finish(backup)
        guard code == SQLITE_OK else { throw target.error(code, operation: "backup to \(path)") }
    }

    /// Problems that `quick_check` finds; empty is healthy.
    package func quickCheck() throws(SQLiteError) -> [String] {
        let statement = try prepare("PRAGMA quick_check(20)")
        var problems: [String] = []
        while try statement.step() {
            if let line = statement.text(0), line != "ok" { problems.append(line) }
        }
        return problems
    }

    /// Gives back what the page cache and the statements hold and do not need.
    package func releaseMemory() { sqlite3_db_release_memory(handle) }

    package func limit(_ id: Int32, _ value: Int32) { sqlite3_limit(handle, id, value) }

    func keep(_ object: AnyObject) { functions.append(object) }

    func refuseWhenBroken(_ operation: String) throws(SQLiteError) {
        guard !isBroken else {
            throw SQLiteError(
                code: SQLITE_IOERR, message: "this connection met an I/O error in COMMIT", operation: operation)
        }
    }

    func error(_ code: Int32, operation: String) -> SQLiteError {
        let offset = sqlite3_error_offset(handle)
        return SQLiteError(
            code: code, message: String(cString: sqlite3_errmsg(handle)), operation: operation,
            errorOffset: offset >= 0 ? Int(offset) : nil)
    }
}
