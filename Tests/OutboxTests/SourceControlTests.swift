import Inventory
import Outbox
import Testing

struct SourceControlTests {
    @Test func `a paused source stays paused over a restart, until somebody resumes it`() throws {
        let temporary = try TemporaryOutbox()
        do {
            let outbox = try temporary.open()
            try temporary.fill(outbox, 3)
            try outbox.pauseSource("moves", actor: "user anna (1000)", now: temporary.now)
            try outbox.close()
        }
        let outbox = try temporary.open()
        let start = try #require(try outbox.openSources(["moves"])["moves"])
        #expect(start.pause?.actor == "user anna (1000)" && start.pause?.at == temporary.now)
        #expect(start.checkpoint?.position == "3")
        #expect(try outbox.resumeSource("moves", actor: "user ben (1001)", now: temporary.now))
        #expect(try outbox.resumeSource("moves", actor: "user ben (1001)", now: temporary.now) == false)
        #expect(try outbox.openSources(["moves"])["moves"]?.pause == nil)
        let audit = try outbox.reader().audit()
        #expect(audit.map(\.action) == ["resume", "pause"] && audit.first?.actor == "user ben (1001)")
    }

    @Test func `what was read before a rewind is refused until sources are opened again, and gives no second event`()
        throws
    {
        let temporary = try TemporaryOutbox()
        let outbox = try temporary.open()
        try temporary.fill(outbox, 3)
        let day = Timestamp(year: 2026, month: 11, day: 1)
        try outbox.rewindSource("moves", to: day, words: "a day", actor: "user anna (1000)", now: temporary.now)
        let refused = #expect(throws: OutboxError.self) { try temporary.fill(outbox, 1, from: 4) }
        #expect(refused?.code == .reopen)
        let start = try #require(try outbox.openSources(["moves"])["moves"])
        #expect(start.checkpoint == nil && start.rewind == day)
        let again = try temporary.fill(outbox, 5)
        #expect(again.events == 2 && again.suppressed == 3)
        #expect(try outbox.openSources(["moves"])["moves"]?.rewind == nil, "it stands at a checkpoint again")
        #expect(outbox.progress.lanes[.standard].head == 5)
    }

    @Test
    func `after a rewind a record without an id is a reject if it may have been an event before, and a retry takes it`()
        throws
    {
        let temporary = try TemporaryOutbox()
        let outbox = try temporary.open()
        var record = try temporary.record("T-1")
        record.identity = RecordIdentity(text: "T-1", recordHash: record.identity.recordHash, isTracked: false)
        _ = try outbox.append([temporary.batch([record])], now: temporary.now)
        let order = Timestamp(milliseconds: temporary.now.milliseconds + 1)
        try outbox.rewindSource("moves", to: order, words: "a day", actor: "user anna (1000)", now: order)
        _ = try outbox.openSources(["moves"])
        let again = try outbox.append([temporary.batch([record])], now: order)
        #expect(again.events == 0 && again.rejects == 1)
        #expect(try outbox.reader().rejects().map(\.reason.code) == ["uncertain"])
        try outbox.close()
        let reopened = try temporary.open()
        #expect(try reopened.append([temporary.batch([record])], now: order).rejects == 1, "it outlives a restart")
        #expect(try reopened.resolve(1, with: record, now: order).events == 1)
    }

    @Test func `a discard and a good retry are audited with what they did, and a vain one is not`() throws {
        let temporary = try TemporaryOutbox()
        let outbox = try temporary.open()
        let audit = AuditEntry(
            at: temporary.now, actor: "user anna (1000)", action: "discard", subject: "reject 1", outcome: "removed")
        #expect(try outbox.discard([1], audit: audit) == 0)
        #expect(try outbox.reader().audit().isEmpty)
        let reject = CapturedRecord(
            identity: RecordIdentity(text: "R", recordHash: Digest(sha256: "R"), isTracked: false),
            outcome: .reject(RejectReason(code: "quantity", message: "no number")), bytes: [0x41],
            position: RecordPosition(object: "f", offset: 0))
        _ = try outbox.append([temporary.batch([reject, reject])], now: temporary.now)
        #expect(try outbox.discard([1], audit: audit) == 1)
        _ = try outbox.resolve(2, with: try temporary.record("T-2"), now: temporary.now, audit: audit)
        #expect(try outbox.reader().audit().count == 2)
    }

    @Test func `the history of lag is kept for 25 hours, and a clock that ran ahead leaves nothing behind`() throws {
        let temporary = try TemporaryOutbox()
        let outbox = try temporary.open()
        func note(_ hours: Int64) throws {
            let moment = Timestamp(milliseconds: temporary.now.milliseconds + hours * 3_600_000)
            try outbox.note([LagSample(at: moment, lane: .bulk, backlog: hours, age: 7)], now: moment)
        }
        func kept() throws -> [Int64] {
            try outbox.reader().lagHistory(since: Timestamp(milliseconds: 0)).map(\.backlog)
        }
        for hours: Int64 in [0, 10, 26, 34] { try note(hours) }
        #expect(try kept() == [10, 26, 34])
        try note(1_000)
        try note(40)
        #expect(try kept() == [40])
    }

    @Test func `a lane's events are found by when they were captured`() throws {
        let temporary = try TemporaryOutbox()
        let outbox = try temporary.open()
        func moment(_ minutes: Int64) -> Timestamp {
            Timestamp(milliseconds: temporary.now.milliseconds + minutes * 60_000)
        }
        for page in 0..<20 { try temporary.fill(outbox, 10, from: page * 10 + 1, at: moment(Int64(page))) }
        let reader = try outbox.reader()
        #expect(try reader.firstSequence(of: .standard, capturedSince: moment(-5)) == 1)
        #expect(try reader.firstSequence(of: .standard, capturedSince: moment(7)) == 71)
        #expect(try reader.firstSequence(of: .standard, capturedSince: moment(100)) == 201)
        #expect(try reader.firstSequence(of: .bulk, capturedSince: moment(0)) == 1)
    }

    @Test func `the journal since a moment is told whole or not at all`() throws {
        let temporary = try TemporaryOutbox()
        let outbox = try temporary.open { $0.keepMilliseconds = 10 * 60_000 }
        func moment(_ minutes: Int64) -> Timestamp {
            Timestamp(milliseconds: temporary.now.milliseconds + minutes * 60_000)
        }
        for page in 1...20 { try temporary.fill(outbox, 10, from: page * 10 + 1, at: moment(Int64(page))) }
        let reader = try outbox.reader()
        #expect(try reader.journal(since: moment(-1), limit: 1_000) == nil, "the epoch began later")
        #expect(try reader.journal(since: moment(5), limit: 100) == nil, "it is more")
        #expect(try reader.journal(since: moment(90), limit: 100)?.events == 0)
        var span = try #require(try reader.journal(since: moment(5), limit: 200))
        #expect(span.events == 160)
        var moves = StockMoves()
        while span.events > 0 { try reader.read(&span, into: &moves) }
        moves.sort()
        let key = StockKey(sku: "A", location: "L")
        let version = try #require(try reader.known(key)?.balance.version)
        #expect(version == 200)
        #expect(moves.path(of: key, to: version)?.count == 160)
        #expect(moves.path(of: key, to: 201) == nil)
        try outbox.acknowledge([.standard: 200])
        #expect(try outbox.prune(now: moment(20)) > 0)
        #expect(try reader.journal(since: moment(5), limit: 1_000) == nil, "what is pruned may have been of then")
        #expect(try reader.journal(since: moment(15), limit: 1_000)?.events == 60)
    }

    @Test func `a level that comes of comparing goes by the stock that it meets`() throws {
        let temporary = try TemporaryOutbox()
        let outbox = try temporary.open()
        let key = StockKey(sku: "A", location: "L")
        func level(_ figure: String, _ basis: LevelBasis, _ name: String) throws -> CapturedRecord {
            var record = try temporary.record(name)
            guard case .events(var drafts) = record.outcome else { return record }
            drafts[0].type = .level
            drafts[0].changes = []
            drafts[0].levels = [StockLevel(key: key, buckets: [.unrestricted: try Quantity(figure)])]
            drafts[0].isCompared = true
            drafts[0].basis = basis
            record.outcome = .events(drafts)
            return record
        }
        func append(_ records: CapturedRecord...) throws -> AppendResult {
            try outbox.append([temporary.batch(records)], now: temporary.now)
        }
        func stock() throws -> String? {
            try outbox.reader().known(key)?.balance[.unrestricted].map { "\($0)" }
        }
        #expect(try append(level("5", .version(0), "L-1")).events == 1)
        #expect(try stock() == "5")
        // The move was captured when the level was computed already, and is appended before it.
        let result = try append(temporary.record("M-1", quantity: "2"), level("9", .version(1), "L-2"))
        #expect(result.events == 1 && result.suppressed == 1)
        #expect(try stock() == "7")
        #expect(try append(temporary.record("M-2", quantity: "1"), level("-3", .differences, "L-3")).events == 2)
        #expect(try stock() == "5")
        #expect(try append(level("6", .version(4), "L-4")).events == 1)
        #expect(try stock() == "6")
    }
}
