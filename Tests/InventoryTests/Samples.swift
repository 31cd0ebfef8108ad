import Foundation
import Inventory
import Testing

enum Sample {
    static let noon = Timestamp(year: 2026, month: 11, day: 23, hour: 12)

    static func site() throws -> SiteIdentity { try #require(SiteIdentity(tenant: "acme", site: "dc-7")) }
    static func epoch() throws -> Epoch { try #require(Epoch("20261123T091405Z-00ff")) }

    static func record(_ text: String = "TXN-90021", tracked: Bool = true) -> RecordIdentity {
        RecordIdentity(text: text, recordHash: Digest(sha256: "record"), isTracked: tracked)
    }

    static func origin() -> Origin {
        Origin(
            source: "moves", kind: "tail", object: "moves.csv", position: "182113", key: "TXN-90021",
            recordHash: Digest(sha256: "record"))
    }

    /// The shipment that the model's page shows.
    static func shipment(sku: String = "00012345") throws -> EventDraft {
        let derived = EventID.derive(site: try site(), source: "moves", record: record(), type: .shipped, n: 0)
        var draft = EventDraft(
            id: derived.id, type: .shipped, sku: sku, origin: origin(), occurredAt: noon, timeQuality: .resolved,
            capturedAt: Timestamp(milliseconds: noon.milliseconds + 412), mappingVersion: "3f2a91c0",
            traceparent: derived.traceparent)
        draft.gtin = "04012345678901"
        draft.quantity = MeasuredQuantity(value: try Quantity("5"), unit: "EA", originalValue: "5", originalUnit: "ST")
        let key = StockKey(sku: sku, location: "A-01-02", lot: "L7")
        draft.changes = [
            .init(key: key, bucket: .unrestricted, delta: try Quantity("-5")),
            .init(key: key, bucket: .allocated, delta: try Quantity("-5")),
        ]
        draft.reason = Reason(code: "sale", sourceCode: "SH", text: nil)
        draft.document = Document(type: "sales_order", number: "SO-881", line: "1")
        draft.correlationID = "SO-881"
        return draft
    }

    static func line(_ key: StockKey, unrestricted: String, version: Int64) throws -> BalanceLine {
        var rules = InventoryRules()
        rules.baselineZero = true
        rules.allocation = .location
        var balance = Balance(rules: rules)
        balance.set(.unrestricted, to: try Quantity(unrestricted), rules: rules)
        balance.version = version
        return BalanceLine(key: key, balance: balance)
    }

    static func encode(_ draft: EventDraft, balances: [BalanceLine] = [], sequence: Int64 = 42) throws -> [UInt8] {
        var encoder = EventEncoder(site: try site())
        return encoder.encode(draft, lane: .critical, sequence: sequence, epoch: try epoch(), balances: balances)
    }

    static func parse(_ bytes: [UInt8]) throws -> [String: Any] {
        #expect(String(validating: bytes, as: UTF8.self) != nil)
        return try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }

    static func data(_ bytes: [UInt8]) throws -> [String: Any] {
        try #require(try parse(bytes)["data"] as? [String: Any])
    }
}
