import Foundation
import Inventory
import SeededRandom
import Testing

struct SpecialEventTests {
    private func tombstone(of original: [UInt8], limitBytes: Int = .max, reason: String = "too large") throws -> [UInt8]
    {
        var encoder = EventEncoder(site: try Sample.site())
        return encoder.encodeSkipped(
            lane: .critical, sequence: 42, epoch: try Sample.epoch(), id: try Sample.shipment().id, reason: reason,
            at: Sample.noon, original: original, limitBytes: limitBytes)
    }

    private func lines(_ count: Int, sku: String) throws -> [BalanceLine] {
        try (0..<count).map {
            try Sample.line(StockKey(sku: sku, location: "A-\($0)"), unrestricted: "\($0)", version: Int64($0))
        }
    }

    @Test func `a tombstone names id, type, subject, reason and the balances`() throws {
        let original = try Sample.encode(try Sample.shipment(), balances: try lines(3, sku: "00012345"))
        let bytes = try tombstone(of: original)
        let event = try Sample.parse(bytes)
        #expect(event["type"] as? String == "stream.skipped.v1")
        #expect(event["sequence"] as? String == "0000000000000000042")
        #expect(event["subject"] as? String == "00012345")
        #expect(event["source"] as? String == "/acme/dc-7/agent")
        let data = try Sample.data(bytes)
        #expect(data["id"] as? String == event["id"] as? String)
        #expect(data["type"] as? String == "stock.shipped.v1")
        #expect(data["reason"] as? String == "too large")
        let kept = try #require(data["balances"] as? NSArray)
        #expect(kept == (try Sample.data(original)["balances"] as? NSArray))
    }

    @Test func `a tombstone keeps within its limit and drops the last balances first`() throws {
        let original = try Sample.encode(try Sample.shipment(), balances: try lines(50, sku: "00012345"))
        var fewest = Int.max
        var most = 0
        for limit in stride(from: 700, through: original.count + 700, by: 97) {
            let bytes = try tombstone(of: original, limitBytes: limit)
            #expect(bytes.count <= limit)
            let kept = try Sample.data(bytes)["balances"] as? [[String: Any]] ?? []
            #expect(kept.map { $0["version"] as? Int } == (0..<kept.count).map { $0 })
            #expect(kept.count >= most)
            fewest = min(fewest, kept.count)
            most = max(most, kept.count)
        }
        #expect(fewest == 0 && most == 50)
    }

    @Test func `a subject that is too large itself is left out, with its balances`() throws {
        let sku = String(repeating: "\"", count: 5_000)
        let original = try Sample.encode(try Sample.shipment(sku: sku), balances: try lines(1, sku: sku))
        let bytes = try tombstone(of: original, limitBytes: 2_000)
        #expect(try Sample.parse(bytes)["subject"] == nil)
        #expect(try Sample.data(bytes)["balances"] == nil)
        #expect(try Sample.parse(tombstone(of: original))["subject"] as? String == sku)
    }

    @Test func `text that looks like structure does not mislead the tombstone`() throws {
        let sku = #"x","subject":"no","data":{"balances":[{}]}\"#
        var draft = try Sample.shipment(sku: sku)
        draft.correlationID = #"],[}{","type":"stock.moved.v1"\\"#
        let original = try Sample.encode(draft, balances: try lines(2, sku: sku))
        let bytes = try tombstone(of: original)
        #expect(try Sample.parse(bytes)["subject"] as? String == sku)
        #expect(try Sample.data(bytes)["type"] as? String == "stock.shipped.v1")
        #expect((try Sample.data(bytes)["balances"] as? [Any])?.count == 2)
    }

    @Test func `a payload that is cut or broken anywhere still gives a valid tombstone`() throws {
        let original = try Sample.encode(try Sample.shipment(), balances: try lines(2, sku: "00012345"))
        var random = Seeded()
        for length in 0..<original.count { _ = try Sample.parse(tombstone(of: Array(original.prefix(length)))) }
        for _ in 0..<1_000 {
            var broken = original
            let at = Int.random(in: 0..<broken.count, using: &random)
            broken[at] = [0x22, 0x7B, 0x7D, 0x5B, 0x5D, 0x2C, 0x3A, 0x5C].randomElement(using: &random) ?? 0x22
            let bytes = try tombstone(of: broken)
            #expect(bytes.count <= original.count + 700, "seed \(random.seed)")
            #expect(bytes.starts(with: #"{"specversion":"1.0","sequence":"0000000000000000042""#.utf8))
        }
        _ = try Sample.parse(tombstone(of: []))
    }

    @Test func `a conflict tells of both records and changes nothing`() throws {
        let draft = try Sample.shipment()
        let record = Sample.record()
        let told = draft.conflict(
            site: try Sample.site(), record: record, earlierHash: 0x00FF, bytes: Array("SH;5\n".utf8) + [0xFF])
        #expect(told.changes.isEmpty && told.levels.isEmpty && told.type == .conflict)
        #expect(told.id != draft.id)
        let data = try Sample.data(try Sample.encode(told))
        let conflict = try #require(data["conflict"] as? [String: String])
        #expect(
            conflict == [
                "identity": "TXN-90021", "earlier_sha256_prefix": "00000000000000ff", "record": "SH;5\n\u{FFFD}",
            ])
        #expect((data["origin"] as? [String: String])?["record_sha256"] == record.recordHash.hex)
        #expect(data["changes"] == nil)
    }

    @Test func `the same conflict has the same id, another content another`() throws {
        let draft = try Sample.shipment()
        func id(_ content: String) throws -> EventID {
            let record = RecordIdentity(text: "T", recordHash: Digest(sha256: content), isTracked: true)
            return draft.conflict(site: try Sample.site(), record: record, earlierHash: 1, bytes: []).id
        }
        #expect(try id("a") == id("a"))
        #expect(try id("a") != id("b"))
    }

    @Test func `a long record is told in part`() throws {
        let conflict = StockConflict(identity: "T", earlierHash: 1, record: Array(repeating: 0x41, count: 1 << 20)[...])
        #expect(conflict.record.utf8.count == 4_096)
    }

    @Test func `a loss says what, from where to where and why, without a subject`() throws {
        let loss = SourceLoss(what: "bytes", from: "100", to: "250", cause: "truncated")
        let draft = EventDraft.loss(loss, site: try Sample.site(), origin: Sample.origin(), now: Sample.noon)
        let bytes = try Sample.encode(draft)
        #expect(try Sample.parse(bytes)["subject"] == nil)
        #expect(try Sample.parse(bytes)["type"] as? String == "source.loss.v1")
        let data = try Sample.data(bytes)
        #expect(
            data["loss"] as? [String: String] == ["what": "bytes", "from": "100", "to": "250", "cause": "truncated"])
        #expect(data["sku"] == nil && data["mapping_version"] == nil)
        let later = Timestamp(milliseconds: Sample.noon.milliseconds + 1)
        #expect(EventDraft.loss(loss, site: try Sample.site(), origin: Sample.origin(), now: later).id == draft.id)
    }
}
