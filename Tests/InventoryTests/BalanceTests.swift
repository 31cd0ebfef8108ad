import Inventory
import Testing

struct BalanceTests {
    private let key = StockKey(sku: "1")

    private func change(_ bucket: Bucket, _ text: String) throws -> StockChange {
        StockChange(key: key, bucket: bucket, delta: try Quantity(text))
    }

    private func rules(_ allocation: InventoryRules.Allocation = .location) -> InventoryRules {
        var rules = InventoryRules()
        rules.baselineZero = true
        rules.allocation = allocation
        return rules
    }

    @Test func `on hand is all that is here, available what is free, negative too`() throws {
        var balance = Balance(rules: rules())
        try balance.apply(change(.unrestricted, "3"), rules: rules())
        try balance.apply(change(.quarantined, "1.5"), rules: rules())
        try balance.apply(change(.inTransit, "100"), rules: rules())
        try balance.apply(change(.allocated, "5"), rules: rules())
        #expect(balance.onHand?.description == "4.5")
        #expect(balance.available?.description == "-2")
    }

    @Test func `an unused bucket stays at 0 whatever comes`() throws {
        var rules = InventoryRules()
        rules.unused = [.damaged]
        var balance = Balance(rules: rules)
        try balance.apply(change(.damaged, "5"), rules: rules)
        try balance.apply(StockLevel(key: key, buckets: [.damaged: Quantity("7")]), rules: rules)
        #expect(balance[.damaged] == .zero)
    }

    @Test func `without allocations there is no available, a level that names one or not`() throws {
        var balance = Balance(rules: rules(.untracked))
        let level = StockLevel(key: key, buckets: [.unrestricted: try Quantity("5"), .allocated: try Quantity("2")])
        try balance.apply(level, rules: rules(.untracked))
        #expect(balance[.unrestricted]?.description == "5")
        #expect(balance[.allocated] == nil)
        #expect(balance.available == nil)
    }

    @Test func `a sum that on hand could not hold is refused and changes nothing`() throws {
        var balance = Balance(rules: rules())
        try balance.apply(change(.unrestricted, "999999999999"), rules: rules())
        let before = balance
        #expect(throws: InventoryError.self) { try balance.apply(change(.blocked, "1"), rules: rules()) }
        #expect(throws: InventoryError.self) { try balance.apply(change(.allocated, "-1"), rules: rules()) }
        let level = StockLevel(
            key: key, buckets: [.damaged: try Quantity("999999999999"), .blocked: try Quantity("1")])
        #expect(throws: InventoryError.self) { try balance.apply(level, rules: rules()) }
        #expect(balance == before)
    }

    @Test func `what a balance keeps is what it is stored as`() throws {
        var balance = Balance(rules: InventoryRules())
        balance.set(.blocked, to: try Quantity("-2.5"), rules: InventoryRules())
        balance.version = 7
        let stored = Balance(version: 7) { balance.stored($0) }
        #expect(stored == balance)
    }

    @Test func `an urgent lane takes what lowers available, and a reversal travels as its original`() {
        var rules = InventoryRules()
        #expect(rules.lane(of: .statusChanged, availableFell: true) == .critical)
        #expect(rules.lane(of: .statusChanged, availableFell: false) == .standard)
        #expect(rules.lane(of: .level, availableFell: false) == .bulk)
        #expect(rules.lane(of: .reversed, availableFell: false, reversing: .shipped) == .critical)
        rules.laneOverrides = [.shipped: .bulk]
        #expect(rules.lane(of: .reversed, availableFell: false, reversing: .shipped) == .bulk)
        #expect(rules.lane(of: .reversed, availableFell: false) == .standard)
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
