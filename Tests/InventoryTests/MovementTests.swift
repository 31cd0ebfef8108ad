import Inventory
import SeededRandom
import Testing

struct MovementTests {
    private let bin = StockKey(sku: "1", location: "A", lot: "L", owner: "O")
    private let staging = StockKey(sku: "1", location: "S", lot: "L", owner: "O")

    private func movement(_ type: EventType, _ text: String? = "5") throws -> Movement {
        Movement(
            type: type, from: bin, to: staging,
            quantity: try text.map { text throws(InventoryError) in try Quantity(text) })
    }

    private func rules(_ allocation: InventoryRules.Allocation) -> InventoryRules {
        var rules = InventoryRules()
        rules.allocation = allocation
        return rules
    }

    /// `A unrestricted -5`, one a change; `-` for the key without location.
    private func told(_ movement: Movement, _ rules: InventoryRules) throws -> [String] {
        try movement.changes(rules: rules).map {
            "\($0.key.location.isEmpty ? "-" : $0.key.location) \($0.bucket.name) \($0.delta)"
        }
    }

    @Test(arguments: [
        (EventType.expected, ["- in_transit 5"]),
        (.received, ["A unrestricted 5"]),
        (.moved, ["A unrestricted -5", "S unrestricted 5"]),
        (.reserved, ["A allocated 5"]),
        (.released, ["A allocated -5"]),
        (.picked, ["A unrestricted -5", "S unrestricted 5", "A allocated -5", "S allocated 5"]),
        (.packed, []),
        (.shipped, ["A unrestricted -5", "A allocated -5"]),
        (.shipVoided, ["A unrestricted 5", "A allocated 5"]),
        (.returned, ["A unrestricted 5"]),
        (.transferShipped, ["A unrestricted -5"]),
        (.transferReceived, ["- in_transit -5", "A unrestricted 5"]),
        (.adjusted, ["A unrestricted 5"]),
        (.converted, ["A unrestricted -5", "S unrestricted 5"]),
        (.counted, []), (.level, []), (.drift, []), (.conflict, []), (.sourceLoss, []), (.skipped, []),
    ])
    func `each type changes what its row of the table says`(type: EventType, changes: [String]) throws {
        #expect(try told(movement(type), rules(.location)) == changes)
    }

    @Test func `allocations of a site lie at the key without location, and stay there through a pick`() throws {
        #expect(try told(movement(.reserved), rules(.site)) == ["- allocated 5"])
        #expect(try told(movement(.picked), rules(.site)) == ["A unrestricted -5", "S unrestricted 5"])
        #expect(try told(movement(.shipped), rules(.site)) == ["A unrestricted -5", "- allocated -5"])
        let site = try movement(.reserved).changes(rules: rules(.site))[0].key
        #expect(site == StockKey(sku: "1", lot: "L", owner: "O"))
    }

    @Test func `without allocations only goods move`() throws {
        #expect(try told(movement(.reserved), rules(.untracked)) == [])
        #expect(try told(movement(.shipped), rules(.untracked)) == ["A unrestricted -5"])
    }

    @Test func `what a pick or a shipment is short of is released`() throws {
        var short = try movement(.shipped, "3")
        short.expected = try Quantity("5")
        #expect(try told(short, rules(.location)) == ["A unrestricted -3", "A allocated -3", "A allocated -2"])
        short.type = .picked
        #expect(try told(short, rules(.site)) == ["A unrestricted -3", "S unrestricted 3", "- allocated -2"])
        short.expected = try Quantity("2")
        #expect(try told(short, rules(.site)) == ["A unrestricted -3", "S unrestricted 3"])
    }

    @Test func `a receipt that was expected is no longer on its way`() throws {
        var receipt = try movement(.received)
        receipt.wasExpected = true
        receipt.bucket = .quarantined
        #expect(try told(receipt, rules(.location)) == ["A quarantined 5", "- in_transit -5"])
    }

    @Test func `blocked goods that are shipped were never allocated`() throws {
        var shipped = try movement(.shipped)
        shipped.bucket = .blocked
        #expect(try told(shipped, rules(.location)) == ["A blocked -5"])
    }

    @Test func `a conversion gives the target's own quantity`() throws {
        var converted = try movement(.converted, "1")
        converted.to.sku = "2"
        converted.toQuantity = try Quantity("12")
        #expect(try converted.changes(rules: rules(.site)).map(\.key.sku) == ["1", "2"])
        #expect(try told(converted, rules(.site)) == ["A unrestricted -1", "S unrestricted 12"])
    }

    @Test func `a reversal takes back what its original changed, of every type`() throws {
        for type in EventType.allCases {
            var reversal = try movement(.reversed)
            reversal.original = type
            reversal.toBucket = type == .statusChanged ? .blocked : nil
            var original = reversal
            original.type = type
            guard ![.reversed, .level, .drift, .conflict, .sourceLoss, .skipped].contains(type) else {
                #expect(throws: InventoryError.self) { try reversal.changes(rules: rules(.location)) }
                continue
            }
            let changes = try original.changes(rules: rules(.location)) + reversal.changes(rules: rules(.location))
            var balances: [StockKey: Balance] = [:]
            var zero = rules(.location)
            zero.baselineZero = true
            for change in changes { try balances[change.key, default: Balance(rules: zero)].apply(change, rules: zero) }
            #expect(balances.values.allSatisfy { $0 == Balance(rules: zero) }, "\(type)")
        }
        #expect(throws: InventoryError.self) { try movement(.reversed).changes(rules: rules(.location)) }
    }

    @Test func `only an adjustment has a sign of its own`() throws {
        #expect(try told(movement(.adjusted, "-5"), rules(.location)) == ["A unrestricted -5"])
        let signed: Set<EventType> = [.adjusted, .counted, .packed, .level, .drift, .conflict, .sourceLoss, .skipped]
        for type in EventType.allCases where !signed.contains(type) {
            #expect(throws: InventoryError.self, "\(type)") {
                try movement(type, "-5").changes(rules: rules(.location))
            }
            #expect(throws: InventoryError.self, "\(type)") { try movement(type, nil).changes(rules: rules(.location)) }
        }
    }

    @Test func `a record that names an unused bucket is refused, what a type implies of one is left out`() throws {
        var rules = rules(.location)
        rules.unused = [.damaged, .inTransit, .allocated]
        var status = try movement(.statusChanged)
        status.toBucket = .damaged
        #expect(throws: InventoryError.self) { try status.changes(rules: rules) }
        var adjusted = try movement(.adjusted)
        adjusted.bucket = .damaged
        #expect(throws: InventoryError.self) { try adjusted.changes(rules: rules) }
        #expect(try told(movement(.transferReceived), rules) == ["A unrestricted 5"])
        #expect(try told(movement(.shipped), rules) == ["A unrestricted -5"])
    }

    @Test func `goods are in a bucket on hand and keep their SKU`() throws {
        var moved = try movement(.moved)
        moved.bucket = .inTransit
        #expect(throws: InventoryError.self) { try moved.changes(rules: rules(.location)) }
        moved = try movement(.moved)
        moved.to.sku = "2"
        #expect(throws: InventoryError.self) { try moved.changes(rules: rules(.location)) }
        var status = try movement(.statusChanged)
        #expect(throws: InventoryError.self) { try status.changes(rules: rules(.location)) }
        status.toBucket = .blocked
        #expect(try told(status, rules(.location)) == ["A unrestricted -5", "A blocked 5"])
    }

    @Test func `internal moves of random quantities sum to 0`() throws {
        var random = Seeded()
        for _ in 0..<1_000 {
            let amount = try Quantity(millionths: .random(in: 0..<1_000_000_000_000_000_000, using: &random))
            for type in [EventType.moved, .picked, .statusChanged] {
                var move = Movement(type: type, from: bin, to: staging, quantity: amount)
                if type == .statusChanged { move.toBucket = .blocked }
                let changes = try move.changes(rules: rules(.location))
                let sum = changes.filter { $0.bucket.isOnHand }.reduce(Int64(0)) { $0 + $1.delta.millionths }
                #expect(sum == 0, "seed \(random.seed)")
            }
        }
    }
}
