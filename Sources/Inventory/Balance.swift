/// The buckets of one stock key and its version. A bucket is nil until a level names it.
package struct Balance: Sendable, Hashable {
    /// Millionths by bucket; 0 where it is unknown.
    private var figures = InlineArray<6, Int64>(repeating: 0)
    /// A bit by bucket.
    private var known: UInt8 = 0
    package var version: Int64 = 0

    package init(rules: InventoryRules) {
        for bucket in Bucket.allCases {
            let isTracked = bucket != .allocated || rules.allocation != .untracked
            if rules.unused.contains(bucket) || rules.baselineZero && isTracked { put(0, in: bucket) }
        }
    }

    /// As stored: millionths by bucket.
    package init(version: Int64, stored: (Bucket) -> Int64?) {
        self.version = version
        for bucket in Bucket.allCases {
            if let millionths = stored(bucket) { put(millionths, in: bucket) }
        }
    }

    package static func == (a: Balance, b: Balance) -> Bool {
        a.version == b.version && Bucket.allCases.allSatisfy { a.stored($0) == b.stored($0) }
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(version)
        for bucket in Bucket.allCases { hasher.combine(stored(bucket)) }
    }

    /// A figure as somebody else's rules gave it.
    package mutating func put(_ quantity: Quantity, in bucket: Bucket) { put(quantity.millionths, in: bucket) }

    private mutating func put(_ millionths: Int64, in bucket: Bucket) {
        figures[Int(bucket.rawValue)] = millionths
        known |= 1 << bucket.rawValue
    }

    package subscript(bucket: Bucket) -> Quantity? {
        stored(bucket).map { Quantity(unchecked: $0) }
    }

    package func stored(_ bucket: Bucket) -> Int64? {
        known & 1 << bucket.rawValue == 0 ? nil : figures[Int(bucket.rawValue)]
    }

    /// Nil when a part is unknown.
    package var onHand: Quantity? {
        guard let unrestricted = stored(.unrestricted), let quarantined = stored(.quarantined),
            let damaged = stored(.damaged), let blocked = stored(.blocked)
        else { return nil }
        return Quantity(unchecked: unrestricted + quarantined + damaged + blocked)
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
        after.put(try before.adding(change.delta).millionths, in: change.bucket)
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
        put(quantity.millionths, in: bucket)
    }

    /// Bucket by bucket; from a bucket that was unknown by all of it.
    package func difference(from before: Balance, key: StockKey) throws(InventoryError) -> [StockChange] {
        var changes: [StockChange] = []
        for bucket in Bucket.allCases where stored(bucket) != before.stored(bucket) {
            guard let now = self[bucket] else { continue }
            let delta = try before[bucket].map { then throws(InventoryError) in try now.subtracting(then) } ?? now
            changes.append(StockChange(key: key, bucket: bucket, delta: delta))
        }
        return changes
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
