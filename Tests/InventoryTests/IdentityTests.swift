import Inventory
import SeededRandom
import Testing

struct IdentityTests {
    @Test(arguments: ["", "-a", "a/b", "a+b", "ä", String(repeating: "a", count: 65)])
    func `a site name that a topic cannot hold is refused`(name: String) {
        #expect(SiteIdentity(tenant: "acme", site: name) == nil)
    }

    @Test func `the shard is the low byte of the IEEE CRC-32`() throws {
        // zlib.crc32(b"acme/dc-7") & 0xff
        #expect(try #require(SiteIdentity(tenant: "acme", site: "dc-7")).shard == "c5")
    }

    @Test func `a new epoch is greater than every known one, also when the clock is behind`() throws {
        let known = try #require(Epoch("20991231T235959Z-ffff"))
        let epoch = Epoch.mint(now: Timestamp(year: 2026, month: 1, day: 1), above: [known], random: 0)
        #expect(epoch.text == "21000101T000000Z-0000")
        #expect(epoch > known)
    }

    @Test func `civil time and milliseconds agree through leap years`() {
        for day in stride(from: -200_000, through: 200_000, by: 7) {
            let moment = Timestamp(milliseconds: Int64(day) * 86_400_000 + 3_723_004)
            let c = moment.civil
            let back = Timestamp(
                year: c.year, month: c.month, day: c.day, hour: c.hour, minute: c.minute, second: c.second,
                millisecond: c.millisecond)
            #expect(back == moment)
        }
        #expect(Timestamp(year: 2024, month: 2, day: 29).description == "2024-02-29T00:00:00.000Z")
    }

    @Test(arguments: ["a", "0", "A.b_c-d", String(repeating: "a", count: 64)])
    func `a name that a topic can hold is taken`(name: String) {
        #expect(SiteIdentity(tenant: name, site: name) != nil)
    }

    @Test func `an event's id is a UUID of version 8 and reads back`() throws {
        var random = Seeded()
        for n in 0..<1_000 {
            let record = Sample.record(random.text())
            let id = EventID.derive(site: try Sample.site(), source: "m", record: record, type: .moved, n: n).id
            let text = Array(id.description)
            #expect(text.count == 36 && text[14] == "8" && "89ab".contains(text[19]), "seed \(random.seed)")
            #expect(EventID(id.description) == id && EventID(id.description.uppercased()) == id, "seed \(random.seed)")
        }
    }

    @Test func `an id has this text`() {
        let id = EventID(high: 0x0123_4567_89AB_8DEF, low: 0x8123_4567_89AB_CDEF)
        #expect(id.description == "01234567-89ab-8def-8123-456789abcdef")
    }

    @Test(arguments: [
        "", "0123456789ab8def8123456789abcdef", "01234567-89ab-8def-8123-456789abcde",
        "01234567-89ab-8def-8123-456789abcdeg",
        "+1234567-89ab-8def-8123-456789abcdef", "01234567089ab-8def-8123-456789abcdef",
    ])
    func `what is no UUID is refused`(text: String) {
        #expect(EventID(text) == nil)
    }

    @Test func `each part makes another id, and 0x1F in a record's identity is no other part`() throws {
        func id(_ record: String, _ type: EventType = .moved, _ n: Int = 0, source: String = "m") throws -> EventID {
            EventID.derive(site: try Sample.site(), source: source, record: Sample.record(record), type: type, n: n).id
        }
        let ids = try [
            id("a"), id("b"), id("a", .picked), id("a", .moved, 1), id("a", source: "n"),
            id("a\u{1F}stock.moved"), id("a\u{1F}stock.moved\u{1F}0"), id("\u{1F}a"), id(""),
        ]
        #expect(Set(ids).count == ids.count)
    }

    @Test func `the trace of an event is of the W3C form and never zero`() throws {
        let trace = EventID.derive(
            site: try Sample.site(), source: "m", record: Sample.record(), type: .moved, n: 0
        ).traceparent.description
        let parts = trace.split(separator: "-")
        #expect(parts.map(\.count) == [2, 32, 16, 2])
        #expect(parts[1].contains { $0 != "0" } && parts[2].contains { $0 != "0" })
    }

    @Test func `a record is known by 16 bytes of its identity's hash`() {
        let digest = Digest(sha256: "TXN-90021")
        #expect(Sample.record().hash == digest.prefix16)
    }

    @Test(arguments: ["\u{1F}", "a\u{1F}", "\u{1F}b"])
    func `a stock key never holds the separator`(text: String) {
        #expect(!StockKey(sku: "1", location: text).isValid)
        #expect(!StockKey(sku: text).isValid)
        #expect(!StockKey(sku: "1", lot: text).isValid)
        #expect(!StockKey(sku: "1", owner: text).isValid)
        #expect(!StockKey(sku: "").isValid)
        #expect(StockKey(sku: "\u{1E}\u{FFFD}").isValid)
    }
}
