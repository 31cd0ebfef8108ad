import Foundation
import Inventory
import Outbox
import SQLite
import Testing

struct DamageTests {
    private let temporary: TemporaryOutbox
    private let tables = ["events", "lanes", "facts", "checkpoints", "sources", "captures"]

    init() throws { temporary = try TemporaryOutbox() }

    private func asides() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: temporary.directory)
            .filter { $0.hasPrefix("outbox.sqlite.corrupt-") && !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm") }
    }

    // MARK: at a start

    @Test func `a corrupt outbox is set aside and a new epoch begins`() throws {
        let garbage = Data(repeating: 0x5A, count: 8_192)
        try garbage.write(to: URL(fileURLWithPath: temporary.path))
        let outbox = try temporary.open()
        #expect(outbox.progress.lanes[.critical] == LaneProgress(head: 0, acked: 0))
        let aside = try #require(outbox.asides.first)
        #expect(try Data(contentsOf: URL(fileURLWithPath: aside)) == garbage)
    }

    @Test func `an outbox that is begun after damage has a greater epoch although the clock is behind`() throws {
        let before: Epoch
        do {
            let outbox = try temporary.open()
            before = try outbox.startEpoch(above: [], reason: "test", now: temporary.later(365 * day))
            try temporary.damage(["lanes"])
        }
        let outbox = try temporary.open()
        #expect(outbox.asides.count == 1)
        #expect(outbox.progress.epoch > before)
    }

    @Test func `a kill between setting aside and beginning anew changes neither the epoch's order nor the starts`()
        throws
    {
        let before: Epoch
        do {
            let outbox = try temporary.open()
            before = try outbox.startEpoch(above: [], reason: "test", now: temporary.later(365 * day))
            try outbox.close()
        }
        try FileManager.default.moveItem(atPath: temporary.path, toPath: temporary.path + ".corrupt-17")
        let outbox = try temporary.open()
        #expect(outbox.progress.epoch > before)
        #expect(try outbox.openSources(["moves"])["moves"] == SourceStart(lostWith: "outbox.sqlite.corrupt-17"))
    }

    // MARK: while running

    @Test func `damage met by the writer keeps the file, says so and begins a greater epoch`() throws {
        let outbox = try temporary.open()
        try temporary.fill(outbox, 200)
        let before = outbox.progress.epoch
        try temporary.damage(tables)
        let error = #expect(throws: OutboxError.self) { try temporary.fill(outbox, 1, from: 201) }
        #expect(error?.code == .setAside)
        let aside = try #require(outbox.asides.first)
        #expect(error?.message.contains(aside) == true)
        #expect(try asides() == [URL(fileURLWithPath: aside).lastPathComponent])
        #expect(try Data(contentsOf: URL(fileURLWithPath: aside)).count > 200 * 200)
        #expect(outbox.progress.epoch > before)
        #expect(outbox.progress.lanes[.standard] == LaneProgress(head: 0, acked: 0))
    }

    @Test func `damage met by a reader does the same, and readers of the old file refuse from then on`() throws {
        let outbox = try temporary.open()
        try temporary.fill(outbox, 200)
        let (first, second) = (try outbox.reader(), try outbox.reader())
        try temporary.damage(tables)
        let met = #expect(throws: OutboxError.self) { try first.page(lane: .standard, after: 0) }
        #expect(met?.code == .setAside)
        for reader in [first, second] {
            let refused = #expect(throws: OutboxError.self) { try reader.page(lane: .standard, after: 0) }
            #expect(refused?.code == .setAside)
        }
        #expect(outbox.asides.count == 1)
        #expect(try outbox.reader().page(lane: .standard, after: 0).isEmpty)
    }

    @Test func `nothing is appended to the new file before capture asked where to begin`() throws {
        let outbox = try temporary.open()
        try temporary.fill(outbox, 200)
        try temporary.damage(tables)
        #expect(throws: OutboxError.self) { try temporary.fill(outbox, 1, from: 201) }
        // A technician's look must not stand in for capture's own.
        #expect(try outbox.checkpoint(of: "moves") == nil)
        let refused = #expect(throws: OutboxError.self) { try temporary.fill(outbox, 1, from: 201) }
        #expect(refused?.code == .setAside)
        // Nor may one source that is opened again, beside others that nobody asked for yet.
        let alone = #expect(throws: OutboxError.self) { try outbox.reopenSource("other") }
        #expect(alone?.code == .setAside)
        let starts = try outbox.openSources(["moves", "other"])
        #expect(starts["moves"]?.lostWith != nil && starts["other"]?.lostWith != nil)
        #expect(try outbox.reopenSource("other")?.lostWith != nil)
        #expect(try temporary.fill(outbox, 200).events == 200)
        #expect(outbox.progress.lanes[.standard].head == 200)
    }

    @Test func `watermarks and tombstones of the epoch before the damage touch nothing of the new one`() throws {
        let outbox = try temporary.open()
        try temporary.fill(outbox, 200)
        let before = outbox.progress.epoch
        try temporary.damage(tables)
        #expect(throws: OutboxError.self) { try temporary.fill(outbox, 1, from: 201) }
        _ = try outbox.openSources(["moves"])
        try temporary.fill(outbox, 5)
        try outbox.acknowledge([.standard: 3], of: before)
        #expect(outbox.progress.lanes[.standard] == LaneProgress(head: 5, acked: 0))
        let refused = #expect(throws: OutboxError.self) {
            try outbox.skip(lane: .standard, sequence: 1, of: before, reason: "x", now: temporary.now)
        }
        #expect(refused?.code == .unknownSequence)
        #expect(try temporary.payloads(outbox).allSatisfy { try member("type", of: $0) == "stock.received.v1" })
    }

    // MARK: where sources begin

    @Test func `the sources of that time begin at their oldest line, also after a restart; later ones as configured`()
        throws
    {
        try Data(repeating: 0x5A, count: 8_192).write(to: URL(fileURLWithPath: temporary.path))
        let name: String
        do {
            let outbox = try temporary.open()
            name = URL(fileURLWithPath: try #require(outbox.asides.first)).lastPathComponent
            let starts = try outbox.openSources(["moves", "counts"])
            #expect(starts == ["moves": SourceStart(lostWith: name), "counts": SourceStart(lostWith: name)])
            try temporary.fill(outbox, 1)
        }
        let outbox = try temporary.open()
        let starts = try outbox.openSources(["moves", "counts", "young"])
        #expect(starts["moves"]?.checkpoint?.text == "1")
        #expect(starts["counts"] == SourceStart(lostWith: name))
        #expect(starts["young"] == SourceStart())
    }

    @Test func `the sources of an outbox that nothing happened to begin as configured`() throws {
        let outbox = try temporary.open()
        #expect(try outbox.openSources(["moves"]) == ["moves": SourceStart()])
    }

    // MARK: looking for damage

    @Test func `the check of a healthy file finds nothing`() throws {
        let outbox = try temporary.open()
        try temporary.fill(outbox, 200)
        #expect(try outbox.verify().isEmpty)
        #expect(try outbox.room() == .open)
    }

    @Test func `damage that the check finds stops reading, and the file goes once all of it is acked`() throws {
        let outbox = try temporary.open { $0.reserveBytes = 0 }
        try temporary.fill(outbox, 200)
        let before = outbox.progress.epoch
        try temporary.damage(["rejects_of_source"])
        #expect(try outbox.verify().isEmpty == false)
        guard case .paused(let reason) = try outbox.room() else {
            Issue.record("a damaged file takes more events")
            return
        }
        #expect(reason.contains("damaged"))
        #expect(try temporary.payloads(outbox).count == 200)
        #expect(outbox.asides.isEmpty)
        try outbox.acknowledge([.standard: 200])
        let error = #expect(throws: OutboxError.self) { try outbox.room() }
        #expect(error?.code == .setAside)
        #expect(outbox.progress.epoch > before)
        #expect(try outbox.room() == .open)
    }

    @Test func `a file that is no database any more is set aside by whoever looks first`() throws {
        let outbox = try temporary.open()
        try temporary.fill(outbox, 200)
        try temporary.damage([])
        let handle = try #require(FileHandle(forUpdatingAtPath: temporary.path))
        try handle.write(contentsOf: Data(repeating: 0x5A, count: 4_096))
        try handle.close()
        let error = #expect(throws: OutboxError.self) { try outbox.verify() }
        #expect(error?.code == .setAside)
        #expect(try outbox.verify().isEmpty)
    }

    @Test func `the file of a stopped agent is checked without a byte of it changed`() throws {
        let outbox = try temporary.open()
        try temporary.fill(outbox, 200)
        let copy = try temporary.killed()
        let before = try Data(contentsOf: URL(fileURLWithPath: copy.path + "-wal"))
        #expect(try Outbox.problems(of: copy.path).isEmpty)
        #expect(try Data(contentsOf: URL(fileURLWithPath: copy.path + "-wal")) == before)
        try copy.damage(["seen"])
        #expect(try Outbox.problems(of: copy.path).isEmpty == false)
        try Data(repeating: 0x5A, count: 8_192).write(to: URL(fileURLWithPath: copy.path))
        #expect(try Outbox.problems(of: copy.path).isEmpty == false)
    }

    @Test func `only a close says that a run ended in order`() throws {
        do {
            let outbox = try temporary.open()
            #expect(outbox.wasClosed)
            try temporary.fill(outbox, 1)
        }
        do {
            let outbox = try temporary.open()
            #expect(!outbox.wasClosed)
            try outbox.close()
        }
        do { #expect(try temporary.open().wasClosed) }
        #expect(try temporary.open().wasClosed == false)
    }
}
