import Foundation
import Inventory
import Outbox
import SQLite
import Testing

struct RetentionTests {
    private let temporary: TemporaryOutbox

    init() throws { temporary = try TemporaryOutbox() }

    // MARK: what goes and what stays

    @Test func `sequences go on after pruning and a restart`() throws {
        do {
            let outbox = try temporary.open { $0.keepMilliseconds = 0 }
            _ = try outbox.append(
                [temporary.batch([try temporary.record("1"), try temporary.record("2")])], now: temporary.now)
            try outbox.acknowledge([.standard: 2])
            let later = Timestamp(milliseconds: temporary.now.milliseconds + 1)
            #expect(try outbox.prune(now: later) == 2)
            #expect(try outbox.reader().page(lane: .standard, after: 0).isEmpty)
        }
        let outbox = try temporary.open()
        _ = try outbox.append([temporary.batch([try temporary.record("3")])], now: temporary.now)
        #expect(outbox.progress.lanes[.standard] == LaneProgress(head: 3, acked: 2))
    }

    @Test func `what is not acked is never pruned`() throws {
        let outbox = try temporary.open {
            $0.keepMilliseconds = 0
            $0.keepBytes = 0
        }
        _ = try outbox.append(
            [temporary.batch([try temporary.record("1"), try temporary.record("2")])], now: temporary.now)
        try outbox.acknowledge([.standard: 1])
        let later = Timestamp(milliseconds: temporary.now.milliseconds + 1)
        #expect(try outbox.prune(now: later) == 1)
        #expect(try outbox.reader().page(lane: .standard, after: 0).map(\.sequence) == [2])
    }

    @Test func `acked events go by age when their time has come, without anything else happening`() throws {
        let outbox = try temporary.open { $0.keepMilliseconds = 10_000 }
        try temporary.fill(outbox, 2)
        try temporary.fill(outbox, 2, from: 3, at: temporary.later(5_000))
        try outbox.acknowledge([.standard: 4])
        #expect(try outbox.prune(now: temporary.later(10_000)) == 0)
        #expect(try outbox.prune(now: temporary.later(10_000)) == 0)
        #expect(try temporary.prune(outbox, at: 10_001) == 3)
        #expect(try outbox.reader().page(lane: .standard, after: 0).map(\.sequence) == [3, 4])
        #expect(try temporary.prune(outbox, at: 15_001) == 2)
    }

    @Test func `an event that is old when its ack comes goes then`() throws {
        let outbox = try temporary.open { $0.keepMilliseconds = 10_000 }
        try temporary.fill(outbox, 2)
        #expect(try outbox.prune(now: temporary.later(20_000)) == 0)
        try outbox.acknowledge([.standard: 1])
        #expect(try outbox.prune(now: temporary.later(20_000)) == 1)
        try outbox.acknowledge([.standard: 2])
        #expect(try outbox.prune(now: temporary.later(20_000)) == 1)
    }

    @Test func `beyond the bytes to keep the oldest acked events go, whatever their lane`() throws {
        let outbox = try temporary.open { $0.keepBytes = 20_000 }
        for number in 1...50 {
            let records = [
                try temporary.record("R-\(number)"), try temporary.record("S-\(number)", quantity: "1", type: .shipped),
            ]
            _ = try outbox.append([temporary.batch(records)], now: temporary.later(Int64(number)))
        }
        #expect(try temporary.prune(outbox) == 0)
        try outbox.acknowledge([.standard: 50, .critical: 50])
        #expect(try temporary.prune(outbox) > 0)
        let left = try [Lane.standard, .critical].map { try temporary.payloads(outbox, lane: $0) }
        let bytes = left.joined().reduce(0) { $0 + $1.count }
        #expect(bytes <= 20_000 && bytes > 18_000)
        #expect(abs(left[0].count - left[1].count) <= 1)
        let kept = try temporary.connection().integer("SELECT sum(kept) FROM lanes")
        #expect(kept == Int64(bytes))
    }

    @Test func `never more than a thousand events go in one call`() throws {
        let outbox = try temporary.open { $0.keepBytes = 0 }
        for page in 0..<3 { try temporary.fill(outbox, 900, from: page * 900 + 1) }
        try outbox.acknowledge([.standard: 2_700])
        #expect(try outbox.prune(now: temporary.now) <= 1_002)
        #expect(try temporary.connection().integer("SELECT count(*) FROM events") == 1_700)
        try temporary.prune(outbox)
        #expect(try temporary.connection().integer("SELECT count(*) FROM events") == 0)
    }

    @Test func `captures go with their events, but for the last`() throws {
        let outbox = try temporary.open { $0.keepBytes = 0 }
        for number in 1...30 { try temporary.fill(outbox, 1, from: number) }
        try outbox.acknowledge([.standard: 29])
        try temporary.prune(outbox)
        #expect(try temporary.connection().integer("SELECT count(*) FROM captures") == 1)
        #expect(try outbox.sourcePositions().map(\.position) == ["29"])
        try outbox.acknowledge([.standard: 30])
        try temporary.prune(outbox)
        #expect(try temporary.connection().integer("SELECT count(*) FROM captures") == 1)
        #expect(try outbox.sourcePositions().map(\.position) == ["30"])
    }

    @Test func `other limits count from the next step on, also while the clock is not believed`() throws {
        let outbox = try temporary.open()
        try temporary.fill(outbox, 20)
        try outbox.acknowledge([.standard: 20])
        #expect(try outbox.prune(now: temporary.now, monotonic: 0) == 0)
        #expect(try outbox.prune(now: temporary.later(365 * day), monotonic: 1_000) == 0)
        var options = outbox.options
        options.keepBytes = 0
        try outbox.adopt(limitsOf: options)
        #expect(try outbox.prune(now: temporary.later(365 * day), monotonic: 2_000) == 20)
    }

    @Test func `rejects stay until somebody decides`() throws {
        let outbox = try temporary.open {
            $0.keepMilliseconds = 0
            $0.keepBytes = 0
        }
        let reject = CapturedRecord(
            identity: RecordIdentity(text: "x", recordHash: Digest(sha256: "x"), isTracked: false),
            outcome: .reject(RejectReason(code: "unmapped", message: "x")), bytes: Array("x".utf8)[...],
            position: RecordPosition(object: "f", offset: 0))
        _ = try outbox.append([temporary.batch([reject])], now: temporary.now)
        try temporary.prune(outbox, at: 365 * day)
        #expect(try outbox.reader().openRejects() == 1)
    }

    @Test func `an idle turn asks the file nothing`() throws {
        let outbox = try temporary.open()
        try temporary.fill(outbox, 200)
        try outbox.acknowledge([.standard: 200])
        for _ in 0..<3 { #expect(try outbox.prune(now: temporary.now, monotonic: 0) == 0) }
        // Whoever reads one of these pages meets the damage.
        try temporary.damage(["events", "lanes", "captures", "sources", "seen", "seen_days", "epochs"])
        for turn in 1...10 {
            let milliseconds = Int64(turn) * 1_000
            #expect(try outbox.prune(now: temporary.later(milliseconds), monotonic: milliseconds) == 0)
        }
        #expect(outbox.asides.isEmpty)
        #expect(throws: OutboxError.self) { try outbox.prune(now: temporary.later(day), monotonic: day) }
        #expect(outbox.asides.count == 1)
    }

    // MARK: seen identities

    @Test func `identities beyond the limit go by whole days, the oldest first`() throws {
        let outbox = try temporary.open { $0.seenLimit = 100 }
        for number in 0..<4 {
            try temporary.fill(outbox, 40, from: number * 40 + 1, at: temporary.later(Int64(number) * day))
        }
        try temporary.prune(outbox, at: 3 * day)
        #expect(try temporary.connection().integer("SELECT count(*) FROM seen") == 80)
        #expect(try temporary.fill(outbox, 40, from: 81, at: temporary.later(3 * day)).suppressed == 40)
    }

    @Test func `identities go when their day has passed, without anything else happening`() throws {
        let outbox = try temporary.open { $0.seenDays = 2 }
        try temporary.fill(outbox, 40)
        try temporary.prune(outbox, at: 2 * day)
        #expect(try temporary.connection().integer("SELECT count(*) FROM seen") == 40)
        try temporary.prune(outbox, at: 3 * day)
        #expect(try temporary.connection().integer("SELECT count(*) FROM seen") == 0)
    }

    @Test func `a sweep of more identities than one look holds comes to its end`() throws {
        let outbox = try temporary.open { $0.seenDays = 1 }
        for page in 0..<3 { try temporary.fill(outbox, 1_700, from: page * 1_700 + 1) }
        try temporary.fill(outbox, 100, from: 9_000, at: temporary.later(5 * day))
        try temporary.prune(outbox, at: 5 * day)
        #expect(try temporary.connection().integer("SELECT count(*) FROM seen") == 100)
    }
}
