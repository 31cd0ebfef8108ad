import Foundation
import Inventory
import Testing

struct EventEncoderTests {
    private func draft(sku: String = "A-1") throws -> EventDraft {
        let hash = Digest(sha256: "record")
        let site = try #require(SiteIdentity(tenant: "acme", site: "dc-7"))
        let record = RecordIdentity(text: "T1", recordHash: hash, isTracked: true)
        let derived = EventID.derive(site: site, source: "moves", record: record, type: .shipped, n: 0)
        let origin = Origin(source: "moves", kind: "tail", object: "moves.csv", position: "17", key: "T1", recordHash: hash)
        var draft = EventDraft(
            id: derived.id, type: .shipped, sku: sku, origin: origin,
            occurredAt: Timestamp(year: 2026, month: 11, day: 23, hour: 9), timeQuality: .resolved,
            capturedAt: Timestamp(year: 2026, month: 11, day: 23, hour: 10), mappingVersion: "3f2a91c0",
            traceparent: derived.traceparent)
        draft.changes = [.init(key: StockKey(sku: sku, location: "L"), bucket: .unrestricted, delta: try Quantity("-5"))]
        return draft
    }

    private func encode(_ draft: EventDraft) throws -> [UInt8] {
        let site = try #require(SiteIdentity(tenant: "acme", site: "dc-7"))
        var encoder = EventEncoder(site: site)
        let line = BalanceLine(key: StockKey(sku: draft.sku, location: "L"), balance: Balance(rules: InventoryRules()))
        let epoch = try #require(Epoch("20261123T091405Z-00ff"))
        return encoder.encode(draft, lane: .critical, sequence: 42, epoch: epoch, balances: [line])
    }

    private func parse(_ bytes: [UInt8]) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }

    @Test func `an event is valid JSON with its address and data`() throws {
        let event = try parse(try encode(try draft()))
        #expect(event["sequence"] as? String == "0000000000000000042")
        #expect(event["type"] as? String == "stock.shipped.v1")
        #expect(event["time"] as? String == "2026-11-23T09:00:00.000Z")
        let data = try #require(event["data"] as? [String: Any])
        let balances = try #require(data["balances"] as? [[String: Any]])
        #expect(balances[0]["unrestricted"] is NSNull)
    }

    @Test func `control characters and quotes in a SKU survive`() throws {
        let sku = "a\"b\\c\u{01}\n\u{7F}é\u{2028}"
        #expect(try parse(try encode(try draft(sku: sku)))["subject"] as? String == sku)
    }

    @Test func `the same draft gives the same bytes`() throws {
        #expect(try encode(try draft()) == encode(try draft()))
    }

    @Test func `a moved event changes nothing but sequence and epoch`() throws {
        var moved = try encode(try draft())
        let epoch = try #require(Epoch("20271123T091405Z-00ff"))
        EventEncoder.readdress(&moved, sequence: 1, epoch: epoch)
        let event = try parse(moved)
        #expect(event["sequence"] as? String == "0000000000000000001")
        #expect(event["epoch"] as? String == epoch.text)
        EventEncoder.readdress(&moved, sequence: 42, epoch: try #require(Epoch("20261123T091405Z-00ff")))
        #expect(try moved == encode(try draft()))
    }
}
