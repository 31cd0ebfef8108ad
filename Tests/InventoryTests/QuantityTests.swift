import Inventory
import SeededRandom
import Testing

struct QuantityTests {
    @Test(arguments: [
        ("12.5", "12.5"), ("-0.000001", "-0.000001"), ("007", "7"), ("999999999999.999999", "999999999999.999999"),
        ("1.500000000", "1.5"),
    ])
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

    @Test func `a quantity adds as whole millionths do, or overflows`() throws {
        var random = Seeded()
        let bound: Int64 = 1_000_000_000_000_000_000
        for _ in 0..<2_000 {
            let a = try Quantity(millionths: .random(in: -bound + 1..<bound, using: &random))
            let b = try Quantity(millionths: .random(in: -bound + 1..<bound, using: &random))
            let sum = a.millionths + b.millionths
            #expect((try? a.adding(b))?.millionths == (sum.magnitude < bound ? sum : nil), "seed \(random.seed)")
            #expect((try? a.subtracting(b)) == (try? a.adding(b.negated)), "seed \(random.seed)")
        }
    }

    @Test(arguments: [("2.5", "4", "10"), ("0.001", "0.001", "0.000001"), ("-12", "0.5", "-6"), ("0", "9", "0")])
    func `a product is exact`(a: String, b: String, product: String) throws {
        #expect(try Quantity(a).multiplied(by: Quantity(b)).description == product)
    }

    @Test(arguments: [("0.001", "0.0001"), ("1000000", "1000000"), ("999999999999", "-999999999999")])
    func `a product that does not fit is refused`(a: String, b: String) throws {
        #expect(throws: InventoryError.self) { try Quantity(a).multiplied(by: Quantity(b)) }
    }

    @Test(arguments: [Int64.min, Int64.max, -1_000_000_000_000_000_000, 1_000_000_000_000_000_000])
    func `millionths beyond the range are refused`(millionths: Int64) {
        #expect(throws: InventoryError.self) { try Quantity(millionths: millionths) }
    }

    @Test(arguments: [
        ("-0", "0"), ("-0.000000", "0"), (".5", "0.5"), ("+1", "1"), ("-999999999999.999999", "-999999999999.999999"),
    ])
    func `signs and zeros become canonical`(text: String, canonical: String) throws {
        #expect(try Quantity(text).description == canonical)
    }
}
