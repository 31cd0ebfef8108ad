import Inventory
import Outbox
import SQLite
import Testing

struct EpochMoveTests {
    private let temporary: TemporaryOutbox

    init() throws { temporary = try TemporaryOutbox() }

    @Test func `a new epoch takes what is not acked along, from sequence 1, with the same ids`() throws {
        let outbox = try temporary.open()
        let records = try (1...3).map { try temporary.record("\($0)") }
        _ = try outbox.append([temporary.batch(records)], now: temporary.now)
        try outbox.acknowledge([.standard: 1])
        let before = outbox.progress.epoch
        let ids = try outbox.reader().page(lane: .standard, after: 1).map { try member("id", of: $0.payload) }
        let epoch = try outbox.startEpoch(above: [], reason: "test", now: temporary.now)
        #expect(epoch > before)
        #expect(outbox.progress.lanes[.standard] == LaneProgress(head: 2, acked: 0))
        let moved = try outbox.reader().page(lane: .standard, after: 0)
        #expect(moved.map(\.sequence) == [1, 2])
        #expect(try moved.map { try member("id", of: $0.payload) } == ids)
    }

    @Test func `watermarks that count in another epoch are ignored`() throws {
        let outbox = try temporary.open()
        let before = outbox.progress.epoch
        try temporary.fill(outbox, 5)
        _ = try outbox.startEpoch(above: [], reason: "test", now: temporary.now)
        try outbox.acknowledge([.standard: 5], of: before)
        #expect(outbox.progress.lanes[.standard] == LaneProgress(head: 5, acked: 0))
        try outbox.acknowledge([.standard: 5], of: outbox.progress.epoch)
        #expect(outbox.progress.lanes[.standard] == LaneProgress(head: 5, acked: 5))
    }

    @Test func `a new epoch is above each that is named, and the next one above it`() throws {
        let outbox = try temporary.open()
        let far = try #require(Epoch("20990101T000000Z-0000"))
        let first = try outbox.startEpoch(above: [far], reason: "test", now: temporary.now)
        #expect(first > far)
        #expect(try outbox.startEpoch(above: [], reason: "test", now: temporary.now) > first)
    }

    @Test func `what is acked stays readable to pruning alone and is not sent again`() throws {
        let outbox = try temporary.open { $0.keepMilliseconds = 0 }
        try temporary.fill(outbox, 10)
        try outbox.acknowledge([.standard: 4])
        _ = try outbox.startEpoch(above: [], reason: "test", now: temporary.now)
        #expect(try temporary.payloads(outbox).count == 6)
        #expect(try outbox.prune(now: temporary.later(1)) == 4)
        try outbox.acknowledge([.standard: 6])
        #expect(try outbox.prune(now: temporary.later(2)) == 6)
        #expect(try temporary.connection().integer("SELECT count(*) FROM events") == 0)
    }

    // MARK: pages

    private static let count = 1_300
    private static let acked: Int64 = 100

    /// 1,300 events of one lane, of which 100 are acked, and 20 of another; the ids of the un-acked ones in order.
    private func filled(_ outbox: Outbox) throws -> [String] {
        try temporary.fill(outbox, Self.count)
        let shipped = try (1...20).map { try temporary.record("S-\($0)", quantity: "1", type: .shipped) }
        _ = try outbox.append([temporary.batch(shipped)], now: temporary.now)
        try outbox.acknowledge([.standard: Self.acked])
        return try ids(outbox, lane: .standard, after: Self.acked)
    }

    private func ids(_ outbox: Outbox, lane: Lane, after: Int64 = 0) throws -> [String] {
        try temporary.payloads(outbox, lane: lane).dropFirst(Int(after)).map { try member("id", of: $0) }
    }

    /// Makes the move fail when the event reaches this sequence of the new epoch.
    private func stop(_ temporary: TemporaryOutbox, at sequence: Int) throws {
        try temporary.connection().execute(
            """
            CREATE TRIGGER stop BEFORE UPDATE OF slot ON events
            WHEN new.slot & ((1 << 44) - 1) = \(sequence) AND (new.slot >> 44) & 15 = \(Lane.standard.rawValue)
            BEGIN SELECT RAISE(ABORT, 'stopped by the test'); END
            """)
    }

    private func expectMoved(_ outbox: Outbox, ids expected: [String], above: Epoch, _ place: Comment) throws {
        let progress = outbox.progress
        #expect(progress.epoch > above, place)
        #expect(progress.lanes[.standard] == LaneProgress(head: Int64(expected.count), acked: 0), place)
        #expect(progress.lanes[.critical] == LaneProgress(head: 20, acked: 0), place)
        #expect(try ids(outbox, lane: .standard) == expected, place)
        for (index, payload) in try temporary.payloads(outbox).enumerated() where index % 97 == 0 {
            #expect(try member("epoch", of: payload) == progress.epoch.text, place)
            #expect(try Int(member("sequence", of: payload)) == index + 1, place)
        }
    }

    @Test(arguments: [1, 512, 513, 1_024, 1_025, 1_200])
    func `a kill between the pages of a move is made good when the file is opened`(sequence: Int) throws {
        let copy: TemporaryOutbox
        let expected: [String]
        let before: Epoch
        do {
            let outbox = try temporary.open()
            before = outbox.progress.epoch
            expected = try filled(outbox)
            try stop(temporary, at: sequence)
            #expect(throws: SQLiteError.self) {
                try outbox.startEpoch(above: [], reason: "test", now: temporary.now)
            }
            copy = try temporary.killed()
        }
        try copy.connection().execute("DROP TRIGGER stop")
        let moved = try copy.connection().integer("SELECT head FROM lanes WHERE epoch = 2 AND lane = 1")
        #expect(moved == Int64((sequence - 1) / 512 * 512))
        let reopened = try EpochMoveTests(copy)
        let outbox = try copy.open()
        try reopened.expectMoved(outbox, ids: expected, above: before, "stopped at \(sequence)")
        try copy.fill(outbox, 1, from: 9_000)
        #expect(outbox.progress.lanes[.standard].head == Int64(expected.count + 1))
    }

    private init(_ temporary: TemporaryOutbox) throws { self.temporary = temporary }

    @Test(arguments: [1, 600])
    func `an error between the pages of a move is made good by the next call`(sequence: Int) throws {
        let outbox = try temporary.open()
        let before = outbox.progress.epoch
        let expected = try filled(outbox)
        try stop(temporary, at: sequence)
        #expect(throws: SQLiteError.self) { try outbox.startEpoch(above: [], reason: "test", now: temporary.now) }
        #expect(throws: SQLiteError.self) { try temporary.fill(outbox, 1, from: 9_000) }
        try temporary.connection().execute("DROP TRIGGER stop")
        try outbox.acknowledge([.standard: 1_300], of: before)
        try expectMoved(outbox, ids: expected, above: before, "stopped at \(sequence)")
        #expect(try temporary.fill(outbox, 1, from: 9_000).events == 1)
        #expect(try temporary.fill(outbox, 1, from: 1).suppressed == 1)
    }
}
