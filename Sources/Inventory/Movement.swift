// The event-type table: what each type changes, from the typed fields of one mapped record.
//
// Quantities of all types but `stock.adjusted` are amounts: the type gives the sign. Goods move in the bucket that the
// record names, `unrestricted` where it names none. What the type implies beside that goes by the site's rules:
// `allocated` at the same key, at the key without location, or nowhere; `in_transit` always at the key without
// location, since what is on its way lies in no bin. An implied change of a bucket that the WMS does not know is left
// out; a record that names such a bucket contradicts the configuration and is refused.

/// The typed fields of a mapped record, and what they change.
package struct Movement: Sendable {
    package var type: EventType
    package var from: StockKey
    /// Where it goes, for moves, conversions and picks to staging.
    package var to: StockKey
    package var quantity: Quantity?
    /// What a conversion gives, in the target's own unit; `quantity` where it is nil.
    package var toQuantity: Quantity?
    /// What was ordered of a pick or a shipment: what is short of it is released.
    package var expected: Quantity?
    package var bucket = Bucket.unrestricted
    package var toBucket: Bucket?
    /// A receipt that `stock.expected` announced.
    package var wasExpected = false
    /// For `stock.reversed`: the type of the event that is taken back; the other fields are that event's.
    package var original: EventType?

    package init(type: EventType, from: StockKey, to: StockKey, quantity: Quantity?) {
        self.type = type
        self.from = from
        self.to = to
        self.quantity = quantity
    }

    /// In order; internal moves sum to 0. Empty for what changes nothing.
    ///
    /// Throws what becomes the record's reject: `quantity`, `negative`, `bucket`, `unused`, `sku`, `reversed`.
    package func changes(rules: InventoryRules) throws(InventoryError) -> [StockChange] {
        switch type {
        case .counted, .packed, .level, .drift, .conflict, .sourceLoss, .skipped: return []
        case .reversed: return try reversed(rules: rules)
        case .adjusted:
            guard !rules.unused.contains(bucket) else { throw unused(bucket) }
            return [change(from, bucket, try required())]
        default:
            let changes = try unsigned(rules: rules)
            return rules.unused.isEmpty ? changes : changes.filter { !rules.unused.contains($0.bucket) }
        }
    }

    private func reversed(rules: InventoryRules) throws(InventoryError) -> [StockChange] {
        switch original {
        case nil, .reversed, .level, .drift, .conflict, .sourceLoss, .skipped:
            let named = original?.rawValue ?? "none"
            throw InventoryError(
                code: "reversed", message: "stock.reversed wants the type of a movement that it reverses, not \(named)")
        case .some(let original):
            var forward = self
            forward.type = original
            return try forward.changes(rules: rules).map { change($0.key, $0.bucket, $0.delta.negated) }
        }
    }

    private func unsigned(rules: InventoryRules) throws(InventoryError) -> [StockChange] {
        let amount = try required()
        let less = amount.negated
        switch type {
        case .expected: return [change(siteKey, .inTransit, amount)]
        case .reserved: return allocation(amount, rules: rules)
        case .released: return allocation(less, rules: rules)
        default: break
        }
        try checkGoods(rules: rules)
        switch type {
        case .received:
            let goods = change(from, bucket, amount)
            return wasExpected ? [goods, change(siteKey, .inTransit, less)] : [goods]
        case .returned: return [change(from, bucket, amount)]
        case .moved: return [change(from, bucket, less), change(to, toBucket ?? bucket, amount)]
        case .converted: return [change(from, bucket, less), change(to, toBucket ?? bucket, try converted(amount))]
        case .statusChanged: return [change(from, bucket, less), change(from, try target(), amount)]
        case .picked: return try picked(amount, rules: rules) + short(amount, rules: rules)
        case .shipped:
            return try [change(from, bucket, less)] + promised(less, rules: rules) + short(amount, rules: rules)
        case .shipVoided: return [change(from, bucket, amount)] + promised(amount, rules: rules)
        case .transferShipped: return [change(from, bucket, less)]
        case .transferReceived: return [change(siteKey, .inTransit, less), change(from, bucket, amount)]
        default: return []
        }
    }

    /// The allocation travels with the goods.
    private func picked(_ amount: Quantity, rules: InventoryRules) -> [StockChange] {
        guard to != from else { return [] }
        let goods = [change(from, bucket, amount.negated), change(to, bucket, amount)]
        guard rules.allocation == .location, bucket == .unrestricted else { return goods }
        return goods + [change(from, .allocated, amount.negated), change(to, .allocated, amount)]
    }

    /// What was ordered and not picked or shipped is free again.
    private func short(_ amount: Quantity, rules: InventoryRules) throws(InventoryError) -> [StockChange] {
        guard let expected, expected > amount else { return [] }
        return promised(try amount.subtracting(expected), rules: rules)
    }

    /// Only free goods are allocated.
    private func promised(_ delta: Quantity, rules: InventoryRules) -> [StockChange] {
        bucket == .unrestricted ? allocation(delta, rules: rules) : []
    }

    private func allocation(_ delta: Quantity, rules: InventoryRules) -> [StockChange] {
        switch rules.allocation {
        case .untracked: return []
        case .location: return [change(from, .allocated, delta)]
        case .site: return [change(siteKey, .allocated, delta)]
        }
    }

    /// The key without location.
    private var siteKey: StockKey {
        StockKey(sku: from.sku, lot: from.lot, owner: from.owner)
    }

    // MARK: what a record may say

    private func checkGoods(rules: InventoryRules) throws(InventoryError) {
        try checkGoods(bucket, rules: rules)
        if let toBucket { try checkGoods(toBucket, rules: rules) }
        if type == .moved || type == .picked, !to.sku.hasBytes(of: from.sku) {
            throw InventoryError(
                code: "sku", message: "\(type.rawValue) keeps its SKU; \(from.sku) to \(to.sku) is stock.converted")
        }
    }

    private func checkGoods(_ named: Bucket, rules: InventoryRules) throws(InventoryError) {
        guard named.isOnHand else {
            throw InventoryError(
                code: "bucket", message: "\(type.rawValue) wants a bucket that is on hand, not \(named.name)")
        }
        guard !rules.unused.contains(named) else { throw unused(named) }
    }

    private func unused(_ bucket: Bucket) -> InventoryError {
        InventoryError(
            code: "unused", message: "\(type.rawValue) names \(bucket.name), which the configuration lists as unused")
    }

    private func target() throws(InventoryError) -> Bucket {
        guard let toBucket, toBucket != bucket else {
            throw InventoryError(code: "bucket", message: "stock.status_changed wants to_bucket, other than bucket")
        }
        return toBucket
    }

    private func converted(_ amount: Quantity) throws(InventoryError) -> Quantity {
        let target = toQuantity ?? amount
        guard !target.isNegative else { throw negative(target) }
        return target
    }

    private func required() throws(InventoryError) -> Quantity {
        guard let quantity else {
            throw InventoryError(code: "quantity", message: "\(type.rawValue) wants a quantity")
        }
        if type != .adjusted, quantity.isNegative { throw negative(quantity) }
        return quantity
    }

    private func negative(_ quantity: Quantity) -> InventoryError {
        InventoryError(code: "negative", message: "\(type.rawValue) wants a quantity of 0 or more, not \(quantity)")
    }

    private func change(_ key: StockKey, _ bucket: Bucket, _ delta: Quantity) -> StockChange {
        StockChange(key: key, bucket: bucket, delta: delta)
    }
}
