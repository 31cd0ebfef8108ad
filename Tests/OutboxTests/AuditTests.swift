import Inventory
import SQLite
import Testing

@testable import Outbox

/// The command log, the audit log, receipts, and what they hold.
struct AuditTests {
    private func entry(_ files: TemporaryOutbox, _ words: String, at milliseconds: Int64 = 0) -> AuditEntry {
        AuditEntry(
            at: Timestamp(milliseconds: files.now.milliseconds + milliseconds), actor: "requester ops",
            action: "replay",
            subject: words, outcome: "accepted")
    }

    @Test func `the audit log tells the newest first, by pages, and cuts what is endless`() throws {
        let files = try TemporaryOutbox()
        let outbox = try files.open()
        for number in 1...5 { try outbox.record(entry(files, "\(number)", at: Int64(number))) }
        try outbox.record(entry(files, String(repeating: "ü", count: 5_000)))
        let reader = try outbox.reader()
        let all = try reader.audit()
        #expect(all.count == 6 && all.first?.subject.utf8.count ?? 0 < 1_010)
        #expect(try reader.audit(before: all[2].id, limit: 2).map(\.subject) == ["3", "2"])
        #expect(
            try reader.audit(since: Timestamp(milliseconds: files.now.milliseconds + 4)).map(\.subject) == ["5", "4"])
    }

    @Test func `a command is new once, unfinished until it ends, and then has its reply, also after a restart`() throws
    {
        let files = try TemporaryOutbox()
        var outbox = try files.open()
        let command = LoggedCommand(id: "c-1", requester: "ops", verb: "replay", at: files.now)
        #expect(try outbox.begin(command, audit: entry(files, "a")) == .new)
        #expect(try outbox.begin(command, audit: entry(files, "b")) == .unfinished)
        try outbox.close()
        outbox = try files.open()
        #expect(try outbox.begin(command, audit: nil) == .unfinished)
        try outbox.end("c-1", of: "ops", reply: [1, 2, 3], audit: entry(files, "c"))
        #expect(try outbox.begin(command, audit: entry(files, "never")) == .ended(reply: [1, 2, 3]))
        var other = command
        other.requester = "ingest"
        #expect(try outbox.begin(other, audit: nil) == .new)
        #expect(try outbox.reader().audit().map(\.subject) == ["c", "b", "a"])
    }

    @Test func `old commands and more than 100,000 entries are pruned in steps`() throws {
        let files = try TemporaryOutbox()
        let outbox = try files.open()
        _ = try outbox.begin(LoggedCommand(id: "old", requester: "ops", verb: "replay", at: files.now), audit: nil)
        do {
            let connection = try files.connection()
            try connection.execute("INSERT INTO audit VALUES (\(AuditLog.mostEntries + 2), 0, 'a', 'b', 'c', 'd')")
            try connection.execute("INSERT INTO audit VALUES (1, 0, 'a', 'b', 'c', 'd')")
        }
        _ = try files.fill(outbox, 1)
        while try files.prune(outbox, at: 8 * 86_400_000) > 0 {}
        #expect(try outbox.reader().audit().count == 1)
        let again = LoggedCommand(id: "old", requester: "ops", verb: "replay", at: files.now)
        #expect(try outbox.begin(again, audit: nil) == .new)
    }

    private func receipt(_ outbox: Outbox, _ files: TemporaryOutbox, _ sequence: Int64, _ epoch: Epoch? = nil)
        -> Receipt
    {
        Receipt(
            requester: "ingest", lane: .standard, epoch: epoch ?? outbox.progress.epoch, sequence: sequence,
            at: files.now)
    }

    @Test func `what a requester did not confirm is kept, whatever its age`() throws {
        let files = try TemporaryOutbox()
        let outbox = try files.open {
            $0.keepMilliseconds = 0
            $0.waitReceipt = "ingest"
        }
        _ = try files.fill(outbox, 10)
        try outbox.acknowledge([.standard: 10], now: files.now)
        while try files.prune(outbox, at: 60_000) > 0 {}
        #expect(try outbox.reader().page(lane: .standard, after: 0).count == 10)
        try outbox.take([receipt(outbox, files, 4)])
        try outbox.take([receipt(outbox, files, 3), receipt(outbox, files, 2)])
        #expect(try outbox.receipts.map(\.sequence) == [4])
        while try files.prune(outbox, at: 60_000) > 0 {}
        #expect(try outbox.reader().page(lane: .standard, after: 0).first?.sequence == 5)
        let known = try #require(try outbox.reader().epoch(outbox.progress.epoch))
        #expect(known.lanes[.standard] == .init(head: 10, acked: 10, oldest: 5))
    }

    @Test func `an ended epoch is held until its receipt, or until the requester went on`() throws {
        let files = try TemporaryOutbox()
        let outbox = try files.open {
            $0.keepMilliseconds = 0
            $0.waitReceipt = "ingest"
        }
        _ = try files.fill(outbox, 5)
        try outbox.acknowledge([.standard: 5], now: files.now)
        let old = outbox.progress.epoch
        _ = try outbox.startEpoch(above: [], reason: "test", now: files.now, actor: "user anna (1000)")
        while try files.prune(outbox, at: 60_000) > 0 {}
        #expect(try outbox.reader().page(lane: .standard, of: old, after: 0, through: 9).count == 5)
        _ = try files.fill(outbox, 1, from: 100)
        try outbox.acknowledge([.standard: 1], now: files.now)
        try outbox.take([receipt(outbox, files, 1)])
        while try files.prune(outbox, at: 60_000) > 0 {}
        #expect(try outbox.reader().page(lane: .standard, of: old, after: 0, through: 9).isEmpty)
        #expect(try outbox.reader().audit().first { $0.action == "epoch" }?.actor == "user anna (1000)")
        #expect(try outbox.reader().epochs().map(\.reason) == ["test", "new outbox"])
    }

    @Test func `marks tell when an event was acked and receipted, to the second, and go with it`() throws {
        let files = try TemporaryOutbox()
        let outbox = try files.open { $0.keepMilliseconds = 0 }
        _ = try files.fill(outbox, 10)
        let epoch = outbox.progress.epoch
        for (acked, seconds) in [(3, 1), (4, 1), (9, 2)] as [(Int64, Int64)] {
            try outbox.acknowledge([.standard: acked], now: files.later(seconds * 1_000 + acked))
        }
        let reader = try outbox.reader()
        #expect(try reader.marks(lane: .standard, of: epoch, sequence: 4).first?.at == files.later(1_000))
        #expect(try reader.marks(lane: .standard, of: epoch, sequence: 5).first?.at == files.later(2_000))
        #expect(try reader.marks(lane: .standard, of: epoch, sequence: 10).isEmpty)
        while try files.prune(outbox, at: 60_000) > 0 {}
        #expect(try files.connection().integer("SELECT count(*) FROM marks WHERE sequence < 9") == 0)
    }

    @Test func `events of a SKU are found, and not those of one that begins alike`() throws {
        let files = try TemporaryOutbox()
        let outbox = try files.open()
        _ = try files.fill(outbox, 3)
        let found = try outbox.reader().events(of: "A", location: nil, after: 0)
        #expect(found.found.map(\.sequence) == [1, 2, 3] && found.next == nil)
        #expect(try outbox.reader().events(of: "A", location: "L", after: 0, rows: 2).next != nil)
        #expect(try outbox.reader().events(of: "A", location: "M", after: 0).found.isEmpty)
        #expect(try outbox.reader().events(of: "", location: nil, after: 0).found.isEmpty)
    }

    @Test func `salvage reads what lies around damaged pages, un-acked events first`() throws {
        let files = try TemporaryOutbox()
        do {
            let outbox = try files.open()
            _ = try files.fill(outbox, 2_000)
            try outbox.acknowledge([.standard: 500], now: files.now)
            try outbox.close()
        }
        let whole = try Salvage.run(path: files.path) { _ in }
        #expect(
            whole.unackedEvents == 1_500 && whole.ackedEvents == 500 && whole.unreadable.isEmpty
                && whole.stockLines == 1)
        try files.damage(page: 0.4)
        var order: [Bool] = []
        let damaged = try Salvage.run(path: files.path) { row in
            if case .event(_, _, _, let isAcked, _) = row { order.append(isAcked) }
        }
        #expect(order == order.sorted { !$0 && $1 })
        #expect(damaged.unackedEvents + damaged.ackedEvents == order.count)
        #expect(!damaged.unreadable.isEmpty)
        #expect((1_900..<2_000).contains(order.count), "\(order.count)")
    }
}
