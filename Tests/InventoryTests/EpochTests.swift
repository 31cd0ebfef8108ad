import Inventory
import SeededRandom
import Testing

struct EpochTests {
    @Test(arguments: [
        "", "20261123T091405Z-00f", "20261123T091405Z-00FF", "20261123 091405Z-00ff", "20261323T091405Z-00ff",
        "20260229T091405Z-00ff", "20261123T241405Z-00ff", "99999999T999999Z-ffff", "99991231T235959Z-ffff",
    ])
    func `what is no epoch, or leaves none above it, is refused`(text: String) {
        #expect(Epoch(text) == nil)
    }

    @Test func `a clock that is ahead sets the epoch's time`() throws {
        let known = try #require(Epoch("20261123T091405Z-ffff"))
        let epoch = Epoch.mint(
            now: Timestamp(year: 2026, month: 11, day: 23, hour: 9, minute: 14, second: 7), above: [known], random: 0xA)
        #expect(epoch.text == "20261123T091407Z-000a")
    }

    @Test func `the last second of the calendar still has a greater epoch`() throws {
        let known = try #require(Epoch("99991231T235959Z-00ff"))
        let epoch = Epoch.mint(now: Timestamp(milliseconds: .max), above: [known], random: 3)
        #expect(epoch.text == "99991231T235959Z-0100")
    }

    @Test func `a minted epoch reads back and is above all that are known`() throws {
        var random = Seeded()
        for _ in 0..<2_000 {
            let known = (0..<3).map { _ in
                Epoch.mint(
                    now: Timestamp(milliseconds: .random(in: 0...250_000_000_000_000, using: &random)), above: [],
                    random: .random(in: 0...UInt16.max, using: &random))
            }
            let now = Timestamp(milliseconds: .random(in: 0...250_000_000_000_000, using: &random))
            let epoch = Epoch.mint(now: now, above: known, random: .random(in: 0...UInt16.max, using: &random))
            #expect(known.allSatisfy { $0 < epoch }, "seed \(random.seed)")
            #expect(Epoch(epoch.text) == epoch, "seed \(random.seed)")
        }
    }
}
