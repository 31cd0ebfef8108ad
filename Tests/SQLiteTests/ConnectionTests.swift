import Foundation
import SQLite
import Testing

struct ConnectionTests {
    private let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)

    private func path(_ name: String) throws -> String {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory.appendingPathComponent(name).path
    }

    @Test func `the writer uses a write-ahead log, full sync and incremental vacuum`() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        let connection = try Connection.openWriter(path: try path("a.sqlite"))
        try connection.execute("CREATE TABLE t(a)")
        #expect(try connection.text("PRAGMA journal_mode") == "wal")
        #expect(try connection.integer("PRAGMA synchronous") == 2)
        #expect(try connection.integer("PRAGMA auto_vacuum") == 2)
    }

    @Test func `a failed transaction leaves nothing behind`() throws {
        let connection = try Connection(path: "", mode: .memory)
        try connection.execute("CREATE TABLE t(a INTEGER UNIQUE)")
        #expect(throws: SQLiteError.self) {
            try connection.transaction {
                try connection.execute("INSERT INTO t VALUES (1)")
                try connection.execute("INSERT INTO t VALUES (1)")
            }
        }
        #expect(try connection.integer("SELECT count(*) FROM t") == 0)
    }

    @Test func `a full file says that it is full and is worth a retry`() throws {
        let connection = try Connection(path: "", mode: .memory)
        try connection.execute("CREATE TABLE t(a); PRAGMA max_page_count = 10")
        let error = #expect(throws: SQLiteError.self) {
            for _ in 0..<100 { try connection.execute("INSERT INTO t VALUES (zeroblob(4000))") }
        }
        #expect(error?.isFull == true)
        #expect(error?.disposition == .retry)
    }

    @Test func `a reader cannot change anything`() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = try path("b.sqlite")
        let writer = try Connection.openWriter(path: file)
        try writer.execute("CREATE TABLE t(a)")
        let reader = try Connection.openReader(path: file)
        #expect(throws: SQLiteError.self) { try reader.execute("INSERT INTO t VALUES (1)") }
    }

    @Test func `an error in a statement names its place`() throws {
        let connection = try Connection(path: "", mode: .memory)
        let error = #expect(throws: SQLiteError.self) { _ = try connection.prepare("SELECT nosuch") }
        #expect(error?.errorOffset == 7)
    }
}
