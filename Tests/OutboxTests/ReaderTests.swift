import Inventory
import Outbox
import Testing

struct ReaderTests {
    private let temporary: TemporaryOutbox

    init() throws { temporary = try TemporaryOutbox() }

    private func reject(_ name: String, source: String = "moves") throws -> CaptureBatch {
        let record = CapturedRecord(
            identity: RecordIdentity(text: name, recordHash: Digest(sha256: name), isTracked: false),
            outcome: .reject(RejectReason(code: "unmapped", message: "no rule for \(name)")),
            bytes: Array(name.utf8)[...], position: RecordPosition(object: "f", offset: 7))
        return CaptureBatch(
            source: source, records: [record], checkpoint: Checkpoint(kind: "tail", text: name, position: name))
    }

    // MARK: pages

    @Test func `pages follow each other without a gap, each lane and only the present epoch`() throws {
        let outbox = try temporary.open()
        try temporary.fill(outbox, 10)
        _ = try outbox.append([temporary.batch([try temporary.record("S", type: .shipped)])], now: temporary.now)
        let reader = try outbox.reader()
        #expect(try reader.page(lane: .standard, after: 0, limit: 4).map(\.sequence) == [1, 2, 3, 4])
        #expect(try reader.page(lane: .standard, after: 4, limit: 4).map(\.sequence) == [5, 6, 7, 8])
        #expect(try reader.page(lane: .standard, after: 8, limit: 4).map(\.sequence) == [9, 10])
        #expect(try reader.page(lane: .standard, after: 10).isEmpty)
        #expect(try reader.page(lane: .critical, after: 0).map(\.lane) == [.critical])
        #expect(try reader.page(lane: .bulk, after: 0).isEmpty)
        try outbox.acknowledge([.standard: 8])
        _ = try outbox.startEpoch(above: [], reason: "test", now: temporary.now)
        #expect(try reader.page(lane: .standard, after: 0).map(\.sequence) == [1, 2])
    }

    @Test func `reading takes nothing away and sees what is committed meanwhile`() throws {
        let outbox = try temporary.open()
        try temporary.fill(outbox, 600)
        let reader = try outbox.reader()
        #expect(try reader.page(lane: .standard, after: 0).count == 512)
        #expect(try reader.page(lane: .standard, after: 0).count == 512)
        try temporary.fill(outbox, 1, from: 601)
        #expect(try reader.page(lane: .standard, after: 512).map(\.sequence) == Array(513...601))
    }

    // MARK: rejects

    @Test func `rejects are listed oldest first, by source and by page, and found by number`() throws {
        let outbox = try temporary.open()
        for name in ["a", "b", "c"] { _ = try outbox.append([try reject(name)], now: temporary.now) }
        _ = try outbox.append([try reject("d", source: "counts")], now: temporary.now)
        let reader = try outbox.reader()
        let all = try reader.rejects()
        #expect(all.map { String(decoding: $0.bytes, as: UTF8.self) } == ["a", "b", "c", "d"])
        #expect(try reader.rejects(after: all[1].id).map(\.id) == [all[2].id, all[3].id])
        #expect(try reader.rejects(source: "moves", limit: 2).map(\.id) == [all[0].id, all[1].id])
        #expect(try reader.rejects(source: "counts").map(\.source) == ["counts"])
        #expect(try reader.openRejects() == 4)
        #expect(try reader.openRejects("moves") == 3)
        let found = try #require(try reader.reject(all[0].id))
        #expect(found.reason == RejectReason(code: "unmapped", message: "no rule for a"))
        #expect(found.position == "f:7")
        #expect(found.identity == "a")
        #expect(try reader.reject(99) == nil)
    }

    @Test func `a discarded reject is gone, its number never comes again, and discarding twice counts once`() throws {
        let outbox = try temporary.open()
        _ = try outbox.append([try reject("a")], now: temporary.now)
        let id = try #require(try outbox.reader().rejects().first).id
        #expect(try outbox.discard([id, 99]) == 1)
        #expect(try outbox.discard([id]) == 0)
        #expect(try outbox.reader().openRejects() == 0)
        _ = try outbox.append([try reject("b")], now: temporary.now)
        #expect(try #require(try outbox.reader().rejects().first).id > id)
    }

    @Test func `a resolved reject becomes its event and goes, together`() throws {
        let outbox = try temporary.open()
        _ = try outbox.append([try reject("R-1")], now: temporary.now)
        let id = try #require(try outbox.reader().rejects().first).id
        #expect(try outbox.resolve(id, with: try temporary.record("R-1"), now: temporary.now).events == 1)
        #expect(try outbox.reader().openRejects() == 0)
        #expect(outbox.progress.lanes[.standard].head == 1)
        #expect(try temporary.fill(outbox, 1).suppressed == 1)
        let error = #expect(throws: OutboxError.self) {
            try outbox.resolve(id, with: try temporary.record("R-1"), now: temporary.now)
        }
        #expect(error?.code == .unknownReject)
    }

    @Test func `a reject that fails again is kept, and nothing of the attempt`() throws {
        let outbox = try temporary.open()
        _ = try outbox.append([try reject("a")], now: temporary.now)
        let stored = try #require(try outbox.reader().rejects().first)
        let again = try #require(try reject("a").records.first)
        let error = #expect(throws: OutboxError.self) {
            try outbox.resolve(stored.id, with: again, now: temporary.now)
        }
        #expect(error?.code == .stillRejected)
        #expect(try outbox.reader().rejects().map(\.id) == [stored.id])
        #expect(outbox.progress.backlog == 0)
    }
}
