import Foundation
import Inventory
import Outbox
import SQLite
import Testing

struct MigrationTests {
    @Test func `an outbox of a newer version is refused by name, and file and log stay as they are`() throws {
        let temporary = try TemporaryOutbox()
        let outbox = try temporary.open()
        try temporary.fill(outbox, 10)
        do {
            let newer = try temporary.connection()
            try newer.execute("INSERT INTO waybill_migrations VALUES (99, 'future', '9.9.9')")
        }
        let copy = try temporary.killed()
        let before = try bytes(copy)
        #expect(before.log.count > 0)
        let error = #expect(throws: NewerSchemaError.self) { _ = try copy.open() }
        #expect(error?.description.contains("9.9.9") == true)
        let after = try bytes(copy)
        #expect(before.file == after.file)
        #expect(before.log == after.log)
        #expect(!FileManager.default.fileExists(atPath: copy.path + ".backup"))
        withExtendedLifetime(outbox) {}
    }

    private func bytes(_ outbox: TemporaryOutbox) throws -> (file: Data, log: Data) {
        (
            try Data(contentsOf: URL(fileURLWithPath: outbox.path)),
            try Data(contentsOf: URL(fileURLWithPath: outbox.path + "-wal"))
        )
    }
}
