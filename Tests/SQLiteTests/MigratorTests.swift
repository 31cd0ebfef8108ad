import Foundation
import SQLite
import Testing

struct MigratorTests {
    private let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)

    private func path(_ name: String) throws -> String {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory.appendingPathComponent(name).path
    }

    @Test func `a file of a newer version is refused by name and left as it is`() throws {
        let connection = try Connection(path: "", mode: .memory)
        let step = Migration(name: "first", rewrites: false) { try $0.execute("CREATE TABLE a(x)") }
        let next = Migration(name: "second", rewrites: true) { try $0.execute("CREATE TABLE b(x)") }
        try Migrator([step, next], programVersion: "9.1.0").migrate(connection, backupPath: nil)
        let error = #expect(throws: NewerSchemaError.self) {
            try Migrator([step], programVersion: "1.0.0").migrate(connection, backupPath: nil)
        }
        #expect(error?.writtenBy == "9.1.0")
    }

    @Test func `a migration that rewrites takes a backup first`() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        let connection = try Connection.openWriter(path: try path("c.sqlite"))
        let step = Migration(name: "first", rewrites: false) {
            try $0.execute("CREATE TABLE a(x); INSERT INTO a VALUES (7)")
        }
        let rewrite = Migration(name: "second", rewrites: true) { try $0.execute("UPDATE a SET x = 8") }
        try Migrator([step], programVersion: "1").migrate(connection, backupPath: nil)
        let backup = try path("c.backup")
        try Migrator([step, rewrite], programVersion: "2").migrate(connection, backupPath: backup)
        #expect(try Connection(path: backup, mode: .readOnly).integer("SELECT x FROM a") == 7)
        #expect(try connection.integer("SELECT x FROM a") == 8)
    }

    @Test func `no backup is taken of a new file, nor for a step that only adds`() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        let connection = try Connection.openWriter(path: try path("d.sqlite"))
        let backup = try path("d.backup")
        let first = Migration(name: "first", rewrites: true) { try $0.execute("CREATE TABLE a(x)") }
        let adds = Migration(name: "second", rewrites: false) { try $0.execute("CREATE TABLE b(x)") }
        try Migrator([first], programVersion: "1").migrate(connection, backupPath: backup)
        try Migrator([first, adds], programVersion: "2").migrate(connection, backupPath: backup)
        #expect(!FileManager.default.fileExists(atPath: backup))
    }

    @Test func `a step that fails leaves the schema before it, and the next start goes on there`() throws {
        let connection = try Connection(path: "", mode: .memory)
        let first = Migration(name: "first", rewrites: false) {
            try $0.execute("CREATE TABLE a(x); INSERT INTO a VALUES (7)")
        }
        let broken = Migration(name: "second", rewrites: true) {
            try $0.execute("UPDATE a SET x = 8; INSERT INTO nowhere VALUES (1)")
        }
        #expect(throws: SQLiteError.self) {
            try Migrator([first, broken], programVersion: "2").migrate(connection, backupPath: nil)
        }
        #expect(try connection.integer("SELECT x FROM a") == 7)
        let mended = Migration(name: "second", rewrites: true) { try $0.execute("UPDATE a SET x = 9") }
        try Migrator([first, mended], programVersion: "3").migrate(connection, backupPath: nil)
        #expect(try connection.integer("SELECT x FROM a") == 9)
        let names = try connection.text("SELECT group_concat(name || program_version) FROM waybill_migrations")
        #expect(names == "first2,second3")
    }

    @Test func `a step is applied once`() throws {
        let connection = try Connection(path: "", mode: .memory)
        let step = Migration(name: "first", rewrites: false) { try $0.execute("CREATE TABLE a(x)") }
        for _ in 0..<3 { try Migrator([step], programVersion: "1").migrate(connection, backupPath: nil) }
        #expect(try connection.integer("SELECT count(*) FROM waybill_migrations") == 1)
    }
}
