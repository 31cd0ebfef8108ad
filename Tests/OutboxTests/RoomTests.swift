import Foundation
import Inventory
import Outbox
import SQLite
import Testing

struct RoomTests {
    private let temporary: TemporaryOutbox

    init() throws { temporary = try TemporaryOutbox() }

    private func walBytes() throws -> Int {
        try Data(contentsOf: URL(fileURLWithPath: temporary.path + "-wal")).count
    }

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
        try temporary.prune(outbox)
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
            try temporary.prune(outbox)
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
