/// How a site's WMS keeps stock; decided by configuration.
package struct InventoryRules: Sendable, Equatable {
    package enum Allocation: String, Sendable { case untracked, location, site }

    /// The ledger starts with the warehouse: balances begin at 0 instead of unknown.
    package var baselineZero = false
    package var allocation = Allocation.untracked
    /// Buckets this WMS does not know: fixed at 0.
    package var unused: Set<Bucket> = []
    package var laneOverrides: [EventType: Lane] = [:]

    package init() {}

    /// The lane that an event travels on; `availableFell` says whether it lowered what is available.
    package func lane(of type: EventType, availableFell: Bool) -> Lane {
        if let lane = laneOverrides[type] { return lane }
        switch type {
        case .reserved, .released, .picked, .shipped, .shipVoided, .sourceLoss: return .critical
        case .statusChanged: return availableFell ? .critical : .standard
        case .expected, .counted: return .bulk
        case .level: return availableFell ? .critical : .bulk
        default: return .standard
        }
    }
}

/// The buckets of one stock key and its version. A bucket is nil until a level names it.
package struct Balance: Sendable, Hashable {
    private var buckets: [Int64?]
    package var version: Int64

    package init(rules: InventoryRules) {
        buckets = Bucket.allCases.map { bucket in
            if rules.unused.contains(bucket) { return 0 }
            if bucket == .allocated, rules.allocation == .untracked { return nil }
            return rules.baselineZero ? 0 : nil
        }
        version = 0
    }

    /// As stored: millionths by bucket in the order of `Bucket.allCases`.
    package init(stored buckets: [Int64?], version: Int64) {
        precondition(buckets.count == Bucket.allCases.count)
        self.buckets = buckets
        self.version = version
    }

    package subscript(bucket: Bucket) -> Quantity? {
        buckets[Int(bucket.rawValue)].map { Quantity(unchecked: $0) }
    }

    package func stored(_ bucket: Bucket) -> Int64? { buckets[Int(bucket.rawValue)] }

    /// Nil when a part is unknown.
    package var onHand: Quantity? {
        var sum: Int64 = 0
        for bucket in [Bucket.unrestricted, .quarantined, .damaged, .blocked] {
            guard let part = stored(bucket) else { return nil }
            sum += part
        }
        return Quantity(unchecked: sum)
    }

    /// May be negative: oversold.
    package var available: Quantity? {
        guard let unrestricted = stored(.unrestricted), let allocated = stored(.allocated) else { return nil }
        return Quantity(unchecked: unrestricted - allocated)
    }

    /// An unknown bucket stays unknown, an unused one stays 0.
    package mutating func apply(_ change: StockChange, rules: InventoryRules) throws(InventoryError) {
        guard !rules.unused.contains(change.bucket), let before = self[change.bucket] else { return }
        buckets[Int(change.bucket.rawValue)] = try before.adding(change.delta).millionths
    }

    package mutating func set(_ bucket: Bucket, to quantity: Quantity, rules: InventoryRules) {
        if !rules.unused.contains(bucket) { buckets[Int(bucket.rawValue)] = quantity.millionths }
    }
}

/// A key with its whole balance, as events carry it.
package struct BalanceLine: Sendable, Equatable {
    package var key: StockKey
    package var balance: Balance

    package init(key: StockKey, balance: Balance) {
        self.key = key
        self.balance = balance
    }
}
