import Foundation
import Inventory
import SQLite
import Testing

@testable import Outbox

/// A damaged outbox gives what can be read of it.
struct SalvageTests {
    private func outbox(_ change: String = "", acked: Int64 = 500) throws -> TemporaryOutbox {
        let files = try TemporaryOutbox()
        let outbox = try files.open()
        _ = try files.fill(outbox, 2_000)
        try outbox.acknowledge([.standard: acked], now: files.now)
        try outbox.close()
        if !change.isEmpty { try files.connection().execute(change) }
        return files
    }

    private func sequences(_ files: TemporaryOutbox) throws -> (found: [Int64], SalvageReport) {
        var found: [Int64] = []
        let report = try Salvage.run(path: files.path) { row in
            if case .event(_, _, let sequence, _, _) = row { found.append(sequence) }
        }
        return (found, report)
    }

    @Test func `what was acked long before is found however high its sequences are`() throws {
        let files = try outbox(
            """
            UPDATE events SET slot = slot + 3000000000;
            UPDATE lanes SET acked = acked + 3000000000, head = head + 3000000000 WHERE lane = 1
            """)
        let begun = ContinuousClock.now
        let (found, report) = try sequences(files)
        #expect(Set(found).count == 2_000 && report.ackedEvents == 500 && report.unreadable.isEmpty)
        #expect(ContinuousClock.now - begun < .seconds(5))
    }

    @Test(arguments: [
        "UPDATE lanes SET acked = -5", "UPDATE lanes SET head = 1 << 62", "UPDATE lanes SET acked = 9, head = 3",
        "DELETE FROM lanes; INSERT INTO lanes VALUES (1, 70000, 1, 1, 1)",
    ])
    func `where the table of lanes holds nonsense all events count as un-acked`(change: String) throws {
        let (found, report) = try sequences(try outbox(change))
        #expect(Set(found).count == 2_000 && found.count == 2_000, "\(found.count)")
        #expect(!report.unreadable.isEmpty)
    }

    @Test func `events are found without a table of lanes`() throws {
        let files = try outbox()
        try files.damage(["lanes"])
        let (found, report) = try sequences(files)
        #expect(Set(found).count == 2_000 && report.unackedEvents == 2_000)
        #expect(report.unreadable.contains("the table of lanes"))
    }

    @Test func `neighbours that cannot be read are told as one place, each row being in it or found`() throws {
        let files = try outbox()
        for part in [0.3, 0.5, 0.7] { try files.damage(page: part) }
        let (found, report) = try sequences(files)
        let told = report.unreadable.compactMap { line -> ClosedRange<Int64>? in
            guard line.hasPrefix("standard of "), let last = line.split(separator: " ").last else { return nil }
            let ends = last.split(separator: "-").compactMap { Int64($0) }
            return ends.first.map { $0...(ends.last ?? $0) }
        }
        let lost = told.flatMap { Array($0) }
        #expect((1...12).contains(told.count), "\(report.unreadable)")
        #expect((found + lost).sorted() == Array(1...2_000))
    }
}
