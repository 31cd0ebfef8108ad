import Foundation
import Inventory
import Outbox
import SQLite
import Testing

struct RetentionTests {
    private let temporary: TemporaryOutbox

    init() throws { temporary = try TemporaryOutbox() }

    private func walBytes() throws -> Int {
        try Data(contentsOf: URL(fileURLWithPath: temporary.path + "-wal")).count
    }

    /// Prunes until nothing goes any more; how many rows went.
    @discardableResult
    private func prune(_ outbox: Outbox, at milliseconds: Int64 = 0) throws -> Int {
        var all = 0
        for _ in 0..<1_000 {
            let count = try outbox.prune(now: temporary.later(milliseconds))
            if count == 0 { return all }
            all += count
        }
        Issue.record("pruning never came to an end")
        return all
    }

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
        #expect(try prune(outbox, at: 10_001) == 3)
        #expect(try outbox.reader().page(lane: .standard, after: 0).map(\.sequence) == [3, 4])
        #expect(try prune(outbox, at: 15_001) == 2)
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
        #expect(try prune(outbox) == 0)
        try outbox.acknowledge([.standard: 50, .critical: 50])
        #expect(try prune(outbox) > 0)
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
        try prune(outbox)
        #expect(try temporary.connection().integer("SELECT count(*) FROM events") == 0)
    }

    @Test func `captures go with their events, but for the last`() throws {
        let outbox = try temporary.open { $0.keepBytes = 0 }
        for number in 1...30 { try temporary.fill(outbox, 1, from: number) }
        try outbox.acknowledge([.standard: 29])
        try prune(outbox)
        #expect(try temporary.connection().integer("SELECT count(*) FROM captures") == 1)
        #expect(try outbox.sourcePositions().map(\.position) == ["29"])
        try outbox.acknowledge([.standard: 30])
        try prune(outbox)
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
        try prune(outbox, at: 365 * day)
        #expect(try outbox.reader().openRejects() == 1)
    }

    // MARK: seen identities

    @Test func `identities beyond the limit go by whole days, the oldest first`() throws {
        let outbox = try temporary.open { $0.seenLimit = 100 }
        for number in 0..<4 {
            try temporary.fill(outbox, 40, from: number * 40 + 1, at: temporary.later(Int64(number) * day))
        }
        try prune(outbox, at: 3 * day)
        #expect(try temporary.connection().integer("SELECT count(*) FROM seen") == 80)
        #expect(try temporary.fill(outbox, 40, from: 81, at: temporary.later(3 * day)).suppressed == 40)
    }

    @Test func `identities go when their day has passed, without anything else happening`() throws {
        let outbox = try temporary.open { $0.seenDays = 2 }
        try temporary.fill(outbox, 40)
        try prune(outbox, at: 2 * day)
        #expect(try temporary.connection().integer("SELECT count(*) FROM seen") == 40)
        try prune(outbox, at: 3 * day)
        #expect(try temporary.connection().integer("SELECT count(*) FROM seen") == 0)
    }

    @Test func `a sweep of more identities than one look holds comes to its end`() throws {
        let outbox = try temporary.open { $0.seenDays = 1 }
        for page in 0..<3 { try temporary.fill(outbox, 1_700, from: page * 1_700 + 1) }
        try temporary.fill(outbox, 100, from: 9_000, at: temporary.later(5 * day))
        try prune(outbox, at: 5 * day)
        #expect(try temporary.connection().integer("SELECT count(*) FROM seen") == 100)
    }

    // MARK: disk

    @Test func `with the broker away the write-ahead log is emptied at its limit, and nothing is lost`() throws {
        let limit: Int64 = 1 << 20
        let outbox = try temporary.open { $0.walLimitBytes = limit }
        var largest = 0
        for page in 0..<12 {
            try temporary.fill(outbox, 500, from: page * 500 + 1)
            largest = max(largest, try walBytes())
            _ = try outbox.prune(now: temporary.now)
            #expect(try walBytes() <= limit)
        }
        #expect(largest > limit)
        #expect(outbox.progress.lanes[.standard].head == 6_000)
        #expect(try temporary.payloads(outbox).count == 6_000)
        #expect(
            OutboxOptions(
                directory: "/", site: temporary.site, rules: InventoryRules(), programVersion: "1"
            ).walLimitBytes == 64 << 20)
    }

    @Test func `a reader in the way neither blocks the writer nor keeps the log from being emptied later`() throws {
        let outbox = try temporary.open { $0.walLimitBytes = 1 << 18 }
        try temporary.fill(outbox, 100)
        let reader = try Connection.openReader(path: temporary.path)
        try reader.execute("BEGIN; SELECT count(*) FROM events")
        try temporary.fill(outbox, 1_000, from: 101)
        let start = ContinuousClock.now
        _ = try outbox.prune(now: temporary.now)
        #expect(ContinuousClock.now - start < .seconds(4), "the writer waited for the reader")
        #expect(try walBytes() > 1 << 18)
        try reader.execute("COMMIT")
        _ = try outbox.prune(now: temporary.now)
        #expect(try walBytes() <= 1 << 18)
    }

    @Test func `pruned pages go back to the disk in small steps, but for an eighth that the next events will need`()
        throws
    {
        let outbox = try temporary.open {
            $0.keepBytes = 0
            $0.walLimitBytes = 0
        }
        for page in 0..<20 { try temporary.fill(outbox, 1_000, from: page * 1_000 + 1) }
        try outbox.acknowledge([.standard: 20_000])
        let before = try temporary.connection().integer("PRAGMA page_count")
        var smallest = before
        for _ in 0..<100 {
            _ = try outbox.prune(now: temporary.now)
            let pages = try temporary.connection().integer("PRAGMA page_count")
            #expect(smallest - pages <= 300)
            smallest = pages
        }
        let connection = try temporary.connection()
        let free = try connection.integer("PRAGMA freelist_count")
        #expect(free <= max(512, smallest / 8))
        #expect(smallest < before * 2 / 3)
        #expect(try connection.integer("PRAGMA auto_vacuum") == 2)
    }

    @Test func `while reading is paused for want of room every free page goes back`() throws {
        let outbox = try temporary.open {
            $0.keepBytes = 0
            $0.walLimitBytes = 0
            $0.reserveBytes = 1 << 60
        }
        for page in 0..<4 { try temporary.fill(outbox, 1_000, from: page * 1_000 + 1) }
        try outbox.acknowledge([.standard: 4_000])
        try prune(outbox)
        #expect(try temporary.connection().integer("PRAGMA freelist_count") > 0)
        #expect(try outbox.room() != .open)
        for _ in 0..<20 { _ = try outbox.prune(now: temporary.now) }
        #expect(try temporary.connection().integer("PRAGMA freelist_count") == 0)
    }

    @Test func `reading pauses at the limit and the reserve, and resumes with hysteresis`() {
        let rule = RoomRule(limit: 1_000, reserve: 200)
        #expect(rule.decide(used: 999, free: 200, isPaused: false) == .open)
        #expect(rule.decide(used: 1_000, free: 200, isPaused: false) != .open)
        #expect(rule.decide(used: 950, free: 300, isPaused: true) != .open)
        #expect(rule.decide(used: 899, free: 299, isPaused: true) != .open)
        #expect(rule.decide(used: 899, free: 300, isPaused: true) == .open)
    }

    @Test func `an outbox at its limit stops reading, goes on acking and pruning, and reads again below nine tenths`()
        throws
    {
        let limit: Int64 = 2 << 20
        let outbox = try temporary.open {
            $0.limitBytes = limit
            $0.reserveBytes = 0
            $0.keepBytes = 0
            $0.walLimitBytes = 0
        }
        var count = 0
        while try outbox.room() == .open {
            try temporary.fill(outbox, 100, from: count + 1)
            count += 100
            _ = try outbox.prune(now: temporary.now)
            guard count < 20_000 else { break }
        }
        #expect(count > 500 && count < 20_000)
        var usedWhenOpen: Int64 = 0
        for acked in stride(from: 100, through: count, by: 100) {
            try outbox.acknowledge([.standard: Int64(acked)])
            try prune(outbox)
            let connection = try temporary.connection()
            usedWhenOpen =
                try (connection.integer("PRAGMA page_count") - connection.integer("PRAGMA freelist_count"))
                * connection.integer("PRAGMA page_size")
            if try outbox.room() == .open { break }
        }
        #expect(try outbox.room() == .open)
        #expect(usedWhenOpen < limit * 9 / 10)
    }

    @Test func `below the reserve of free disk nothing is read`() throws {
        let outbox = try temporary.open { $0.reserveBytes = 1 << 60 }
        guard case .paused(let reason) = try outbox.room() else {
            Issue.record("read below the reserve")
            return
        }
        #expect(reason.contains("free, needs"))
    }
}
