import Foundation
import Inventory
import SeededRandom
import Testing

struct EventEncoderTests {
    @Test func `a shipment has exactly these bytes`() throws {
        let draft = try Sample.shipment()
        let line = try Sample.line(draft.changes[0].key, unrestricted: "7", version: 42)
        let golden =
            #"{"specversion":"1.0","sequence":"0000000000000000042","epoch":"20261123T091405Z-00ff","#
            + #""lane":"critical","id":"93eceeea-79eb-8664-85b2-411ca8b27dc3","source":"/acme/dc-7/moves","#
            + #""type":"stock.shipped.v1","subject":"00012345","time":"2026-11-23T12:00:00.000Z","#
            + #""datacontenttype":"application/json","dataschema":"urn:waybill:schema:stock:1","#
            + #""correlationid":"SO-881","traceparent":"00-ce52f7f974ff5b91326a2c474c8c47d6-70ce871f8a3d3fb5-00","#
            + #""data":{"sku":{"code":"00012345","gtin":"04012345678901"},"#
            + #""quantity":{"value":"5","uom":"EA","original_value":"5","original_uom":"ST"},"#
            + #""changes":[{"location":"A-01-02","lot":"L7","bucket":"unrestricted","delta":"-5"},"#
            + #"{"location":"A-01-02","lot":"L7","bucket":"allocated","delta":"-5"}],"#
            + #""balances":[{"location":"A-01-02","lot":"L7","version":42,"unrestricted":"7","quarantined":"0","#
            + #""damaged":"0","blocked":"0","allocated":"0","in_transit":"0","on_hand":"7","available":"7"}],"#
            + #""reason":{"code":"sale","source_code":"SH"},"#
            + #""document":{"type":"sales_order","number":"SO-881","line":"1"},"#
            + #""origin":{"source":"moves","kind":"tail","object":"moves.csv","position":"182113","key":"TXN-90021","#
            + #""record_sha256":"70ce871f8a3d3fb449bc3c3ace6547cef02dfc74ffe48d912532a724bfdbe5b9"},"#
            + #""occurred_at":"2026-11-23T12:00:00.000Z","time_quality":"resolved","#
            + #""captured_at":"2026-11-23T12:00:00.412Z","mapping_version":"3f2a91c0"}}"#
        let bytes = try Sample.encode(draft, balances: [line])
        #expect(String(decoding: bytes, as: UTF8.self) == golden)
        #expect(try Sample.parse(bytes)["type"] as? String == "stock.shipped.v1")
    }

    @Test func `an unknown bucket is null and what derives from it too`() throws {
        let key = StockKey(sku: "00012345")
        let line = BalanceLine(key: key, balance: Balance(rules: InventoryRules()))
        let data = try Sample.data(try Sample.encode(try Sample.shipment(), balances: [line]))
        let balances = try #require(data["balances"] as? [[String: Any]])
        #expect(balances[0]["unrestricted"] is NSNull)
        #expect(balances[0]["on_hand"] is NSNull)
        #expect(balances[0]["available"] is NSNull)
        #expect(balances[0]["location"] == nil)
    }

    @Test func `a key of another SKU names it`() throws {
        let line = try Sample.line(StockKey(sku: "other", location: "B"), unrestricted: "-1.25", version: 1)
        let data = try Sample.data(try Sample.encode(try Sample.shipment(), balances: [line]))
        let balances = try #require(data["balances"] as? [[String: Any]])
        #expect(balances[0]["sku"] as? String == "other")
        #expect(balances[0]["on_hand"] as? String == "-1.25")
    }

    @Test func `an absent or empty field is left out`() throws {
        var draft = try Sample.shipment()
        draft.gtin = ""
        draft.reason = Reason(code: "unknown", sourceCode: "", text: "")
        draft.document = nil
        draft.correlationID = nil
        draft.changes = []
        let bytes = try Sample.encode(draft)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(!text.contains(#":"""#) && !text.contains("null"))
        #expect(try Sample.parse(bytes)["correlationid"] == nil)
        let data = try Sample.data(bytes)
        #expect(data["changes"] == nil && data["document"] == nil && data["balances"] == nil)
    }

    @Test func `a count tells expected, counted and difference`() throws {
        var draft = try Sample.shipment()
        draft.type = .counted
        draft.count = StockCount(
            key: StockKey(sku: draft.sku, location: "A"), expected: try Quantity("7"), counted: try Quantity("6.5"),
            difference: try Quantity("-0.5"))
        let count = try #require(try Sample.data(try Sample.encode(draft))["count"] as? [String: String])
        #expect(count == ["location": "A", "expected": "7", "counted": "6.5", "difference": "-0.5"])
    }

    @Test func `random text of any kind comes back as it went in`() throws {
        var random = Seeded()
        for _ in 0..<500 {
            var draft = try Sample.shipment(sku: "s" + random.text())
            draft.gtin = random.text()
            draft.correlationID = random.text(upTo: 300)
            draft.origin.object = random.text()
            draft.reason = Reason(code: "sale", sourceCode: random.text(), text: random.text(upTo: 2_000))
            draft.changes[0].key.lot = random.text()
            let bytes = try Sample.encode(draft)
            let event = try Sample.parse(bytes)
            let data = try Sample.data(bytes)
            func expect(_ value: Any?, _ text: String?) {
                let wanted = (text ?? "").isEmpty ? nil : text
                let isEqual = (value as? String).map { Array($0.utf8) } == wanted.map { Array($0.utf8) }
                #expect(isEqual, "seed \(random.seed)")
            }
            expect(event["subject"], draft.sku)
            expect(event["correlationid"], draft.correlationID)
            expect((data["sku"] as? [String: Any])?["gtin"], draft.gtin)
            expect((data["reason"] as? [String: Any])?["source_code"], draft.reason?.sourceCode)
            expect((data["reason"] as? [String: Any])?["text"], draft.reason?.text)
            expect((data["origin"] as? [String: Any])?["object"], draft.origin.object)
            expect((data["changes"] as? [[String: Any]])?[0]["lot"], draft.changes[0].key.lot)
            #expect(!bytes.contains { $0 < 0x20 }, "seed \(random.seed)")
        }
    }

    @Test func `a byte order mark within text stays, after an escape too`() throws {
        // By its bytes: Foundation's own reader drops some of these marks.
        let draft = try Sample.shipment(sku: "\u{FEFF}a\n\u{FEFF}\u{FEFF}")
        let wanted = Array("\"subject\":\"\u{FEFF}a\\n\u{FEFF}\u{FEFF}\",".utf8)
        let bytes = try Sample.encode(draft)
        #expect(bytes.indices.contains { bytes[$0...].starts(with: wanted) })
    }

    @Test func `bytes that were no UTF-8 arrive as replacement characters`() throws {
        // A lone surrogate in UTF-8 form, a cut sequence, an overlong NUL: no String can hold them.
        let sku = String(decoding: [0x41, 0xED, 0xA0, 0x80, 0xC3, 0x42, 0xC0, 0x80] as [UInt8], as: UTF8.self)
        let event = try Sample.parse(try Sample.encode(try Sample.shipment(sku: sku)))
        #expect(event["subject"] as? String == sku)
        #expect(sku.unicodeScalars.contains("\u{FFFD}"))
    }

    @Test func `one encoder gives the same bytes again, also after a giant event`() throws {
        var encoder = EventEncoder(site: try Sample.site())
        let small = try Sample.shipment()
        var giant = small
        giant.reason = Reason(code: "unknown", sourceCode: nil, text: String(repeating: "\u{1}é\"", count: 200_000))
        let epoch = try Sample.epoch()
        let first = encoder.encode(small, lane: .bulk, sequence: 1, epoch: epoch, balances: [])
        let large = encoder.encode(giant, lane: .bulk, sequence: 1, epoch: epoch, balances: [])
        let again = encoder.encode(small, lane: .bulk, sequence: 1, epoch: epoch, balances: [])
        #expect(first == again)
        let data = try Sample.data(large)
        #expect((data["reason"] as? [String: Any])?["text"] as? String == giant.reason?.text)
    }

    @Test func `the bytes within the closure are those of the array`() throws {
        var encoder = EventEncoder(site: try Sample.site())
        let draft = try Sample.shipment()
        let array = encoder.encode(draft, lane: .standard, sequence: 9, epoch: try Sample.epoch(), balances: [])
        let agrees = encoder.encode(draft, lane: .standard, sequence: 9, epoch: try Sample.epoch(), balances: []) {
            $0.elementsEqual(array)
        }
        #expect(agrees)
    }

    @Test(arguments: [1, 9, 10, 4_294_967_296, Int64.max])
    func `a moved event changes nothing but sequence and epoch`(sequence: Int64) throws {
        let draft = try Sample.shipment()
        var moved = try Sample.encode(draft)
        let epoch = try #require(Epoch("20271123T091405Z-0001"))
        EventEncoder.readdress(&moved, sequence: sequence, epoch: epoch)
        var encoder = EventEncoder(site: try Sample.site())
        #expect(moved == encoder.encode(draft, lane: .critical, sequence: sequence, epoch: epoch, balances: []))
    }
}
