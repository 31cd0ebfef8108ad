/// The typed fields of a mapped record, and the table that says what each event type changes.
package struct Movement: Sendable {
    package var type: EventType
    package var from: StockKey
    /// Where it goes, for moves, conversions and picks to staging.
    package var to: StockKey
    package var quantity: Quantity?
    package var bucket = Bucket.unrestricted
    package var toBucket: Bucket?
    package var wasExpected = false

    package init(type: EventType, from: StockKey, to: StockKey, quantity: Quantity?) {
        self.type = type
        self.from = from
        self.to = to
        self.quantity = quantity
    }

    /// What the movement changes, in order; internal moves sum to 0.
    package func changes(rules: InventoryRules) throws(InventoryError) -> [StockChange] {
        switch type {
        case .counted, .packed, .level, .drift, .conflict, .sourceLoss, .skipped: return []
        case .adjusted: return [change(from, bucket, try required())]
        case .reversed:
            throw InventoryError(code: "reversed", message: "stock.reversed is not available in this version")
        default: return try unsigned(rules: rules)
        }
    }

    private func unsigned(rules: InventoryRules) throws(InventoryError) -> [StockChange] {
        let amount = try required()
        guard !amount.isNegative else {
            throw InventoryError(code: "negative", message: "\(type.rawValue) wants a quantity of 0 or more, not \(amount)")
        }
        let less = amount.negated
        switch type {
        case .expected: return [change(from, .inTransit, amount)]
        case .received, .returned: return [change(from, bucket, amount)]
        case .moved: return [change(from, bucket, less), change(to, toBucket ?? bucket, amount)]
        case .converted: return [change(from, bucket, less), change(to, bucket, amount)]
        case .statusChanged: return [change(from, bucket, less), change(from, try target(), amount)]
        case .reserved: return allocation(amount, rules: rules)
        case .released: return allocation(less, rules: rules)
        case .picked: return picked(amount, rules: rules)
        case .shipped: return [change(from, bucket, less)] + allocation(less, rules: rules)
        case .shipVoided: return [change(from, bucket, amount)] + allocation(amount, rules: rules)
        case .transferShipped: return [change(from, bucket, less)]
        case .transferReceived: return [change(from, .inTransit, less), change(from, bucket, amount)]
        default: return []
        }
    }

    private func picked(_ amount: Quantity, rules: InventoryRules) -> [StockChange] {
        guard to != from else { return [] }
        let goods = [change(from, bucket, amount.negated), change(to, bucket, amount)]
        guard rules.allocation == .location else { return goods }
        return goods + [change(from, .allocated, amount.negated), change(to, .allocated, amount)]
    }

    private func allocation(_ delta: Quantity, rules: InventoryRules) -> [StockChange] {
        switch rules.allocation {
        case .untracked: return []
        case .location: return [change(from, .allocated, delta)]
        case .site:
            var site = from
            site.location = ""
            return [change(site, .allocated, delta)]
        }
    }

    private func target() throws(InventoryError) -> Bucket {
        guard let toBucket, toBucket != bucket else {
            throw InventoryError(code: "bucket", message: "stock.status_changed wants to_bucket, other than bucket")
        }
        return toBucket
    }

    private func required() throws(InventoryError) -> Quantity {
        guard let quantity else {
            throw InventoryError(code: "quantity", message: "\(type.rawValue) wants a quantity")
        }
        return quantity
    }

    private func change(_ key: StockKey, _ bucket: Bucket, _ delta: Quantity) -> StockChange {
        StockChange(key: key, bucket: bucket, delta: delta)
    }
}
