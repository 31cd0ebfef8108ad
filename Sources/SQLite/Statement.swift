import CSQLite

/// A prepared statement. Parameters count from 1, columns from 0. A failed bind is thrown by the next `step`.
package final class Statement {
    package let handle: OpaquePointer
    private let connection: Connection
    private let sql: String
    private var bindError: Int32 = SQLITE_OK

    init(_ handle: OpaquePointer, connection: Connection, sql: String) {
        self.handle = handle
        self.connection = connection
        self.sql = sql
    }

    deinit { sqlite3_finalize(handle) }

    package func bind(_ index: Int32, _ value: Int64) { note(sqlite3_bind_int64(handle, index, value)) }

    package func bindNull(_ index: Int32) { note(sqlite3_bind_null(handle, index)) }

    package func bind(_ index: Int32, text: String) {
        var text = text
        text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                note(
                    sqlite3_bind_text(
                        handle, index, $0.baseAddress, Int32($0.count), waybill_sqlite_transient()))
            }
        }
    }

    /// Text that must stay where it is until `reset`.
    package func bind(_ index: Int32, staticText bytes: UnsafeRawBufferPointer) {
        let pointer = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
        note(sqlite3_bind_text(handle, index, pointer, Int32(bytes.count), waybill_sqlite_static()))
    }

    /// Bytes that must stay where they are until `reset`.
    package func bind(_ index: Int32, blob: UnsafeRawBufferPointer) {
        if blob.isEmpty { return note(sqlite3_bind_zeroblob(handle, index, 0)) }
        note(sqlite3_bind_blob64(handle, index, blob.baseAddress, UInt64(blob.count), waybill_sqlite_static()))
    }

    package func bind(_ index: Int32, bytes: [UInt8]) {
        if bytes.isEmpty { return note(sqlite3_bind_zeroblob(handle, index, 0)) }
        bytes.withUnsafeBytes {
            note(sqlite3_bind_blob64(handle, index, $0.baseAddress, UInt64($0.count), waybill_sqlite_transient()))
        }
    }

    private func note(_ code: Int32) { if code != SQLITE_OK { bindError = code } }

    /// True when a row is there to read.
    package func step() throws(SQLiteError) -> Bool {
        try connection.refuseWhenBroken(sql)
        if bindError != SQLITE_OK {
            let code = bindError
            bindError = SQLITE_OK
            throw connection.error(code, operation: sql)
        }
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE { return false }
        let failure = connection.error(code, operation: sql)
        sqlite3_reset(handle)
        throw failure
    }

    /// Steps to the end and resets.
    package func run() throws(SQLiteError) {
        while try step() {}
        reset()
    }

    package func reset() { sqlite3_reset(handle) }

    package var columnCount: Int32 { sqlite3_column_count(handle) }
    package func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
    package func isInteger(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_INTEGER }
    package func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    /// Nil for NULL.
    package func text(_ column: Int32) -> String? {
        guard let pointer = sqlite3_column_text(handle, column) else { return nil }
        let count = Int(sqlite3_column_bytes(handle, column))
        return String(decoding: UnsafeBufferPointer(start: pointer, count: count), as: UTF8.self)
    }

    /// The column's bytes, valid inside `body` only.
    package func withBytes<R>(_ column: Int32, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        let pointer = sqlite3_column_blob(handle, column)
        return try body(UnsafeRawBufferPointer(start: pointer, count: Int(sqlite3_column_bytes(handle, column))))
    }

    package func bytes(_ column: Int32) -> [UInt8] { withBytes(column) { [UInt8]($0) } }
}
