import Foundation
import Inventory
import SQLite
import Testing

@testable import Outbox

/// What tells of the past stays as small as it is said to be.
struct LogPruningTests {
    private func receipt(_ who: String, _ sequence: Int64, _ epoch: Epoch, _ at: Timestamp) -> Receipt {
        Receipt(requester: who, lane: .standard, epoch: epoch, sequence: sequence, at: at)
    }

    @Test func `no mark outlives its event, of an ended epoch and of an emptied lane either`() throws {
        let files = try TemporaryOutbox()
        let outbox = try files.open { $0.keepMilliseconds = 0 }
        for turn in 1...3 {
            _ = try files.fill(outbox, 10, from: turn * 100)
            for acked in 1...10 as ClosedRange<Int64> {
                try outbox.acknowledge([.standard: acked], now: files.later(acked * 1_000))
            }
            try outbox.take([receipt("ingest", 10, outbox.progress.epoch, files.later(11_000))])
            if turn < 3 { _ = try outbox.startEpoch(above: [], reason: "test", now: files.now) }
        }
        #expect(try files.connection().integer("SELECT count(*) FROM marks") == 33)
        try files.prune(outbox, at: 60_000)
        #expect(try files.connection().integer("SELECT count(*) FROM marks") == 0)
    }

    @Test func `a mark is found by the index, however many stand before it`() throws {
        let files = try TemporaryOutbox()
        let outbox = try files.open()
        _ = try files.fill(outbox, 1)
        try files.connection().execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
            INSERT INTO marks SELECT 1, 1, who, i, i * 2 FROM n, (SELECT '' AS who UNION SELECT 'ingest')
            """)
        let reader = try outbox.reader()
        let epoch = outbox.progress.epoch
        let begun = ContinuousClock.now
        for sequence in stride(from: 1, through: 400_000, by: 1_000) as StrideThrough<Int64> {
            let marks = try reader.marks(lane: .standard, of: epoch, sequence: sequence)
            #expect(marks.map(\.at.milliseconds) == [500 * (sequence + 1), 500 * (sequence + 1)])
        }
        // 400 looks that would read 200,000 rows each without the index: a minute. With it 50 ms.
        #expect(ContinuousClock.now - begun < .seconds(10))
    }

    @Test func `of too many requesters the one heard last longest ago makes room, and not the awaited one`() throws {
        let files = try TemporaryOutbox()
        do {
            let outbox = try files.open { $0.waitReceipt = "r-1" }
            _ = try files.fill(outbox, 5)
            for number in 1...66 {
                let at = files.later(Int64(number) * 1_000)
                try outbox.take([receipt("r-\(number)", 3, outbox.progress.epoch, at)])
            }
            let names = try Set(outbox.receipts.map(\.requester))
            #expect(names == Set((1...66).map { "r-\($0)" }).subtracting(["r-2", "r-3"]))
            try outbox.close()
        }
        let again = try files.open { $0.waitReceipt = "r-1" }
        #expect(try again.receipts.count == 64)
    }

    @Test func `receipts of ended epochs go once a requester went on`() throws {
        let files = try TemporaryOutbox()
        let outbox = try files.open()
        for turn in 1...3 {
            _ = try files.fill(outbox, 2, from: turn * 10)
            try outbox.acknowledge([.standard: 2], now: files.now)
            try outbox.take([receipt("ingest", 2, outbox.progress.epoch, files.now)])
            if turn < 3 { _ = try outbox.startEpoch(above: [], reason: "test", now: files.now) }
        }
        #expect(try files.connection().integer("SELECT count(*) FROM receipts") == 1)
    }

    @Test func `audit and command log are pruned while no event comes`() throws {
        let files = try TemporaryOutbox()
        let outbox = try files.open()
        try files.prune(outbox)
        try files.connection().execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 103500)
            INSERT INTO audit(at, actor, action, subject, outcome) SELECT 1, 'a', 'b', 'c', 'd' FROM n
            """)
        try files.connection().execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12500)
            INSERT INTO commands(requester, id, verb, at) SELECT 'ops', i, 'replay', \(files.now.milliseconds) FROM n
            """)
        let entry = AuditEntry(at: files.now, actor: "agent", action: "test", subject: "", outcome: "done")
        try outbox.record(entry)
        try files.prune(outbox)
        #expect(try files.connection().integer("SELECT count(*) FROM audit") == 100_000)
        #expect(try files.connection().integer("SELECT count(*) FROM commands") == 10_000)
    }

    @Test func `pruning a few marks of very many looks at those few`() throws {
        let files = try TemporaryOutbox()
        let outbox = try files.open { $0.keepMilliseconds = 60_000 }
        _ = try files.fill(outbox, 30)
        try outbox.acknowledge([.standard: 30], now: files.now)
        try files.connection().execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
            INSERT INTO marks SELECT 1, 1, who, i, i + 5 FROM n, (SELECT 'a' AS who UNION SELECT 'b')
            """)
        let begun = ContinuousClock.now
        try files.prune(outbox, at: 61_000)
        // 30 events and, of two names, 25 marks each below them, and what the lane has acked since.
        #expect(ContinuousClock.now - begun < .seconds(2))
        #expect(try files.connection().integer("SELECT count(*) FROM marks WHERE who = 'a' AND sequence <= 30") == 0)
        #expect(try files.connection().integer("SELECT count(*) FROM marks WHERE who = 'a'") == 400_000 - 25)
    }
}
