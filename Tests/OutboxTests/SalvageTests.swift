import Foundation
import Inventory
import SQLite
import SeededRandom
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

    @Test func `a head that is too low hides nothing`() throws {
        let (found, report) = try sequences(try outbox("UPDATE lanes SET head = 900 WHERE lane = 1"))
        #expect(found.count == 2_000 && report.unreadable.count == 1)
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

    @Test func `where nothing says any more what the file holds, all events are told as not readable`() throws {
        let files = try outbox()
        let handle = try #require(FileHandle(forUpdatingAtPath: files.path))
        try handle.seek(toOffset: 100)
        try handle.write(contentsOf: Data(repeating: 0xFF, count: 400))
        try handle.close()
        let (found, report) = try sequences(files)
        #expect(found.isEmpty && report.unreadable.contains { $0.hasPrefix("all events: ") }, "\(report.unreadable)")
    }

    @Test func `an event with a senseless number is one more place, not thousands`() throws {
        let files = try outbox("INSERT INTO events VALUES (\((30_000 << 48) + 5), 1, x'00', x'00')")
        let (found, report) = try sequences(files)
        #expect(found.count == 2_001, "\(found.count)")
        #expect(report.unreadable.count <= 3, "\(report.unreadable)")
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

    /// Changes a slot within its page, as a flipped bit does; SQLite does not notice.
    private func flip(_ files: TemporaryOutbox, sequence: Int64, to other: Int64) throws {
        let old = Slot(epoch: 1, lane: .standard, sequence: sequence).packed
        let connection = try files.connection()
        try connection.checkpoint(truncate: true)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: files.path))
        let place = try #require(bytes.firstRange(of: varint(old)))
        bytes.replaceSubrange(place, with: varint(Slot(epoch: 1, lane: .standard, sequence: other).packed))
        try bytes.write(to: URL(fileURLWithPath: files.path))
    }

    /// As SQLite stores a rowid of 44 bits and more in a cell.
    private func varint(_ number: Int64) -> Data {
        var groups: [UInt8] = []
        var rest = UInt64(number)
        repeat {
            groups.insert(UInt8(rest & 0x7F) | (groups.isEmpty ? 0 : 0x80), at: 0)
            rest >>= 7
        } while rest > 0
        return Data(groups)
    }

    @Test(arguments: [(1_004, 1_900), (1_004, 3), (501, 1_999), (2_000, 1), (257, 256)] as [(Int64, Int64)])
    func `a sequence out of order hides nothing, and makes nothing endless`(at: Int64, other: Int64) throws {
        let files = try outbox()
        try flip(files, sequence: at, to: other)
        let (found, report) = try sequences(files)
        #expect(found.count < 2_010 && Set(found).count >= 1_980, "\(found.count)")
        let told = report.unreadable.joined(separator: "; ")
        #expect(told.contains("\(at)") || found.contains(at), "\(told)")
    }

    @Test func `rejects before a damaged page are read, and what is damaged is told`() throws {
        let files = try TemporaryOutbox()
        do {
            let outbox = try files.open()
            let bytes = [UInt8](repeating: 0x41, count: 700)
            let records = (1...400).map { number in
                CapturedRecord(
                    identity: RecordIdentity(text: "R-\(number)", recordHash: Digest(sha256: "x"), isTracked: false),
                    outcome: .reject(RejectReason(code: "test", message: "test")), bytes: bytes[...],
                    position: RecordPosition(object: "f", offset: 0))
            }
            _ = try outbox.append([files.batch(records)], now: files.now)
            try outbox.close()
        }
        try files.damage(page: 0.5)
        var found: [Int64] = []
        let report = try Salvage.run(path: files.path) { row in
            if case .reject(let reject) = row { found.append(reject.id) }
        }
        #expect((380..<400).contains(found.count) && found == found.sorted(), "\(found.count) \(report.unreadable)")
        #expect(report.unreadable.count == 1 && report.rejects == found.count)
    }

    @Test func `a lane is not given up for numbers that were pruned long before its damaged beginning`() throws {
        let files = try outbox(
            """
            UPDATE events SET slot = slot + 3000000000;
            UPDATE lanes SET acked = acked + 3000000000, head = head + 3000000000 WHERE lane = 1
            """)
        let connection = try files.connection()
        let first = Slot(epoch: 1, lane: .standard, sequence: 3_000_000_001).packed
        // The page of the first event: the one leaf that holds its slot.
        try connection.checkpoint(truncate: true)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: files.path))
        let place = try #require(bytes.firstRange(of: varint(first))).lowerBound
        let page = place / 8_192 * 8_192
        bytes.replaceSubrange(page..<page + 8_192, with: Data(repeating: 0xFF, count: 8_192))
        try bytes.write(to: URL(fileURLWithPath: files.path))
        let begun = ContinuousClock.now
        let (found, report) = try sequences(files)
        #expect(found.count > 1_980 && report.unackedEvents == 1_500, "\(found.count) \(report.unreadable)")
        #expect(ContinuousClock.now - begun < .seconds(10))
    }

    @Test(arguments: [
        "DELETE FROM lanes WHERE lane = 1", "UPDATE lanes SET lane = 77 WHERE lane = 1", "DELETE FROM epochs",
    ])
    func `a lane that the table leaves out is read all the same, and said`(change: String) throws {
        let (found, report) = try sequences(try outbox(change))
        #expect(Set(found).count == 2_000 && found.count == 2_000)
        #expect(!report.unreadable.isEmpty || change.contains("epochs"))
    }

    /// Sequences of the lane that are told as unreadable.
    private func told(_ report: SalvageReport) -> Set<Int64> {
        var all: Set<Int64> = []
        for line in report.unreadable where line.hasPrefix("standard of ") {
            if line.hasSuffix("bytes of acked events are missing") { all.formUnion(1...500) }
            let ends = (line.split(separator: " ").last ?? "").split(separator: "-").compactMap { Int64($0) }
            guard let first = ends.first, let last = ends.last, first <= 2_000 else { continue }
            all.formUnion(first...min(last, 2_000))
        }
        return all
    }

    @Test func `whatever is damaged, it ends, and each event is read or told`() throws {
        var random = Seeded()
        let whole = try outbox()
        let sound = try Data(contentsOf: URL(fileURLWithPath: whole.path))
        for round in 1...60 {
            let files = try TemporaryOutbox()
            var bytes = sound
            // Not the first page: without the schema no table is known.
            for _ in 1...Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 8_192..<bytes.count - 8_192, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0:
                    let page = place / 8_192 * 8_192
                    bytes.replaceSubrange(page..<page + 8_192, with: Data(repeating: 0xFF, count: 8_192))
                case 1:
                    let noise = (0..<64).map { _ in UInt8.random(in: 0...255, using: &random) }
                    bytes.replaceSubrange(place..<place + 64, with: noise)
                default: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
                }
            }
            try bytes.write(to: URL(fileURLWithPath: files.path))
            let begun = ContinuousClock.now
            let found: [Int64]
            let report: SalvageReport
            do { (found, report) = try sequences(files) } catch is SQLiteError { continue }
            let missing = Set(1...2_000 as ClosedRange<Int64>).subtracting(found).subtracting(told(report))
            #expect(missing.isEmpty, "seed \(random.seed), round \(round): \(missing.sorted()) \(report.unreadable)")
            #expect(found.count <= 2_100, "seed \(random.seed), round \(round)")
            #expect(ContinuousClock.now - begun < .seconds(20), "seed \(random.seed), round \(round)")
        }
    }
}
