import CFaultVFS
import Foundation
import Inventory
import SQLite
import SeededRandom
import Testing

@testable import Outbox

/// The tree that an outbox keeps, against one made from its stock table.
struct KeptTreeTests {
    private func record(_ files: TemporaryOutbox, _ name: String, sku: String, quantity: String) throws
        -> CapturedRecord
    {
        let hash = Digest(sha256: name)
        let identity = RecordIdentity(text: name, recordHash: hash, isTracked: false)
        let derived = EventID.derive(site: files.site, source: "moves", record: identity, type: .adjusted, n: 0)
        let origin = Origin(source: "moves", kind: "tail", object: "f", position: "0", key: nil, recordHash: hash)
        var draft = EventDraft(
            id: derived.id, type: .adjusted, sku: sku, origin: origin, occurredAt: files.now, timeQuality: .exact,
            capturedAt: files.now, mappingVersion: "0", traceparent: derived.traceparent)
        draft.changes = [
            .init(key: StockKey(sku: sku, location: "L"), bucket: .unrestricted, delta: try Quantity(quantity))
        ]
        return CapturedRecord(
            identity: identity, outcome: .events([draft]), bytes: Array(name.utf8)[...],
            position: RecordPosition(object: "f", offset: 0))
    }

    private func fromTable(_ outbox: Outbox) throws -> String {
        var tree = StockTree()
        var after: StockKey?
        while true {
            let page = try outbox.reader().stock(after: after, in: SnapshotScope(), limit: 100)
            for line in page.lines { tree.replace(nil, by: line.sum, in: line.key.leaf) }
            if page.isLast { return tree.root().hex }
            after = page.scannedTo
        }
    }

    private func build(_ outbox: Outbox) throws { while try !outbox.buildTree() {} }

    @Test func `through a random life the kept tree is the one of the table`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = Seeded(seed)
        let files = try TemporaryOutbox()
        var outbox = try files.open()
        var count = 0
        for round in 0..<40 {
            var records: [CapturedRecord] = []
            for _ in 0..<(1 + random.next() % 60) {
                count += 1
                // Every now and then a sum that no quantity can hold: that record alone becomes a reject.
                let quantity = random.next() % 17 == 0 ? "999999999999" : "\(Int64(random.next() % 40) - 20)"
                records.append(
                    try record(files, "R-\(count)", sku: "S\u{1}\(random.next() % 1_500)", quantity: quantity))
            }
            _ = try outbox.append([files.batch(records)], now: files.now)
            if round % 9 == 8 {
                try outbox.close()
                outbox = try files.open()
                #expect(try outbox.digest(of: .root) == nil)
                // While it is being built, commits go on at both sides of the scan.
                for _ in 0..<2 {
                    _ = try outbox.buildTree()
                    let extra = try (0..<5).map {
                        try record(files, "X-\(count)-\($0)", sku: "S\u{1}\(random.next() % 1_500)", quantity: "3")
                    }
                    count += 5
                    _ = try outbox.append([files.batch(extra)], now: files.now)
                }
            }
            try build(outbox)
            #expect(try outbox.digest(of: .root)?.hash == fromTable(outbox), "seed \(seed), round \(round)")
        }
        let facts = try outbox.nextBeacon(session: "s")
        #expect(facts.root?.hex == (try fromTable(outbox)) && facts.progress == outbox.progress)
    }

    @Test func `a leaf tells its lines, and a snapshot's scope takes in what it says`() throws {
        let files = try TemporaryOutbox()
        let outbox = try files.open()
        let records = try (0..<300).map { try record(files, "R-\($0)", sku: "\(1_000 + $0)", quantity: "5") }
        _ = try outbox.append([files.batch(records)], now: files.now)
        let key = StockKey(sku: "1007", location: "L")
        let digest = try #require(try outbox.digest(of: .leaf(key.leaf)))
        #expect(digest.lines.contains { $0.key == key } && digest.lines.allSatisfy { $0.key.leaf == key.leaf })
        #expect(digest.hash == digest.lines.reduce(LineSum.zero) { $0 + $1.sum }.description)
        let reader = try outbox.reader()
        let scopes: [(SnapshotScope, Int)] = [
            (SnapshotScope(sku: "100"), 10), (SnapshotScope(sku: "10", location: "L"), 100),
            (SnapshotScope(location: "M"), 0), (SnapshotScope(sku: "9"), 0), (SnapshotScope(), 300),
            (SnapshotScope(leaf: key.leaf), digest.lines.count),
        ]
        for (scope, count) in scopes {
            var found: [StockKey] = []
            var after: StockKey?
            while true {
                let page = try reader.stock(after: after, in: scope, limit: 7)
                found += page.lines.map(\.key)
                if page.isLast { break }
                after = page.scannedTo
            }
            #expect(found.count == count && Set(found).count == count, "\(scope)")
        }
    }

    @Test func `stock of an outbox of the first schema gets its leaves`() throws {
        let files = try TemporaryOutbox()
        do {
            let outbox = try files.open()
            let records = try (0..<50).map { try record(files, "R-\($0)", sku: "\($0)", quantity: "5") }
            _ = try outbox.append([files.batch(records)], now: files.now)
            try outbox.close()
        }
        do {
            let connection = try files.connection()
            try connection.execute(
                """
                DROP INDEX stock_of_leaf; ALTER TABLE stock DROP COLUMN touched; ALTER TABLE stock DROP COLUMN leaf; DROP TABLE marks; DROP TABLE receipts;
                DROP TABLE commands; DROP TABLE audit; DROP TABLE history;
                DELETE FROM waybill_migrations WHERE number >= 2;
                """)
        }
        let outbox = try files.open()
        try build(outbox)
        let key = StockKey(sku: "7", location: "L")
        #expect(try outbox.digest(of: .leaf(key.leaf))?.lines.contains { $0.key == key } == true)
        #expect(try outbox.digest(of: .root)?.hash == fromTable(outbox))
    }

    @Test func `after a file was set aside the tree is that of the new one`() throws {
        let files = try TemporaryOutbox()
        let outbox = try files.open()
        _ = try outbox.append([files.batch([try record(files, "R", sku: "A", quantity: "5")])], now: files.now)
        var none = StockTree()
        #expect(try outbox.digest(of: .root)?.hash != none.root().hex)
        try outbox.close()
        try files.damage(["stock"])
        let next = try files.open()
        if next.asides.isEmpty {
            #expect(throws: (any Error).self) { while try !next.buildTree() {} }
        }
        try build(next)
        #expect(try next.digest(of: .root)?.hash == fromTable(next))
        #expect(try next.reader().audit().contains { $0.outcome.contains("begun after damage") })
    }
}
