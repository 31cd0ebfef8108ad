import Inventory
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

    @Test func `an internal move sums to nothing and a negative receipt is refused`() throws {
        let here = StockKey(sku: "1", location: "A")
        let there = StockKey(sku: "1", location: "B")
        let move = Movement(type: .moved, from: here, to: there, quantity: try Quantity("2.5"))
        let total = try move.changes(rules: InventoryRules()).reduce(Int64(0)) { $0 + $1.delta.millionths }
        #expect(total == 0)
        let receipt = Movement(type: .received, from: here, to: here, quantity: try Quantity("-1"))
        #expect(throws: InventoryError.self) { try receipt.changes(rules: InventoryRules()) }
    }

    @Test func `an unknown bucket stays unknown until a level names it`() throws {
        let key = StockKey(sku: "1")
        var balance = Balance(rules: InventoryRules())
        try balance.apply(.init(key: key, bucket: .unrestricted, delta: try Quantity("5")), rules: InventoryRules())
        #expect(balance[.unrestricted] == nil)
        balance.set(.unrestricted, to: try Quantity("7"), rules: InventoryRules())
        try balance.apply(.init(key: key, bucket: .unrestricted, delta: try Quantity("5")), rules: InventoryRules())
        #expect(balance[.unrestricted] == (try Quantity("12")))
        #expect(balance.onHand == nil)
    }
}
