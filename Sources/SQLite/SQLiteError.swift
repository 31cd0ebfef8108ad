import CSQLite

/// An error of SQLite with its extended code, what was attempted and what to do about it.
package struct SQLiteError: Error, Sendable, CustomStringConvertible {
    package enum Disposition: Sendable { case retry, halt }

    /// SQLite's extended result code.
    package let code: Int32
    package let message: String
    /// The statement or call that failed.
    package let operation: String
    /// Byte offset of the error in the statement's text, where SQLite names one.
    package let errorOffset: Int?

    package init(code: Int32, message: String, operation: String, errorOffset: Int? = nil) {
        self.code = code
        self.message = message
        self.operation = operation
        self.errorOffset = errorOffset
    }

    package var primaryCode: Int32 { code & 0xFF }
    package var isBusy: Bool { primaryCode == SQLITE_BUSY || primaryCode == SQLITE_LOCKED }
    package var isFull: Bool { primaryCode == SQLITE_FULL }
    package var isIOError: Bool { primaryCode == SQLITE_IOERR }
    package var isCorrupt: Bool { primaryCode == SQLITE_CORRUPT || primaryCode == SQLITE_NOTADB }
    package var disposition: Disposition { isBusy || isFull ? .retry : .halt }

    package var hint: String {
        switch primaryCode {
        case SQLITE_BUSY, SQLITE_LOCKED: "another process holds the file; see who with: fuser FILE"
        case SQLITE_FULL: "the disk is full: make room, reading resumes by itself"
        case SQLITE_IOERR: "the disk failed a read or write: look at the kernel log (dmesg)"
        case SQLITE_CORRUPT, SQLITE_NOTADB: "the file is damaged: it is set aside and a new one begun"
        case SQLITE_CANTOPEN: "check that the directory exists and that this user may write to it"
        case SQLITE_READONLY, SQLITE_PERM: "check the rights of the file and its directory"
        default: ""
        }
    }

    package var description: String {
        let base = "\(operation): \(message) (SQLite code \(code))"
        return hint.isEmpty ? base : "\(base); \(hint)"
    }
}
