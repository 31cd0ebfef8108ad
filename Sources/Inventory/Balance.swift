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

    /// An unknown bucket stays unknown, an unused one stays 0. Unchanged when it throws, as a sum or what derives from
    /// it would have more than 12 integer digits.
    package mutating func apply(_ change: StockChange, rules: InventoryRules) throws(InventoryError) {
        guard !rules.unused.contains(change.bucket), let before = self[change.bucket] else { return }
        var after = self
        after.buckets[Int(change.bucket.rawValue)] = try before.adding(change.delta).millionths
        try after.checkDerived()
        self = after
    }

    /// Takes the figures that the level names and leaves the others. Unchanged when it throws.
    package mutating func apply(_ level: StockLevel, rules: InventoryRules) throws(InventoryError) {
        var after = self
        for (bucket, quantity) in level.buckets { after.set(bucket, to: quantity, rules: rules) }
        try after.checkDerived()
        self = after
    }

    /// Without effect on an unused bucket, and on `allocated` where allocations are not tracked: no event would keep
    /// that figure true.
    package mutating func set(_ bucket: Bucket, to quantity: Quantity, rules: InventoryRules) {
        guard !rules.unused.contains(bucket) else { return }
        if bucket == .allocated, rules.allocation == .untracked { return }
        buckets[Int(bucket.rawValue)] = quantity.millionths
    }

    private func checkDerived() throws(InventoryError) {
        if let onHand { _ = try Quantity(millionths: onHand.millionths) }
        if let available { _ = try Quantity(millionths: available.millionths) }
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
