import Inventory
import Testing

struct QuantityTests {
    @Test(arguments: [("12.5", "12.5"), ("-0.000001", "-0.000001"), ("007", "7"), ("999999999999.999999", "999999999999.999999"), ("1.500000000", "1.5")])
    func `a quantity reads and writes exact text`(text: String, canonical: String) throws {
        #expect(try Quantity(text).description == canonical)
    }

    @Test(arguments: ["", "-", ".", "1.", "1e3", "1,5", " 1", "0.0000001", "1000000000000", "٣"])
    func `what is no decimal in range is refused`(text: String) {
        #expect(throws: InventoryError.self) { try Quantity(text) }
    }

    @Test func `a sum beyond twelve integer digits is refused`() throws {
        let most = try Quantity("999999999999.999999")
        #expect(throws: InventoryError.self) { try most.adding(Quantity("0.000001")) }
        #expect(try most.subtracting(most) == .zero)
    }

    @Test func `text and value agree for random quantities`() throws {
        let seed: UInt64 = .random(in: 0...UInt64.max)
        var state = seed
        for _ in 0..<2_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let quantity = try Quantity(millionths: Int64(bitPattern: state) % 1_000_000_000_000_000_000)
            #expect(try Quantity(quantity.description) == quantity, "seed \(seed)")
        }
    }
}
