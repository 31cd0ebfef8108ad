import Inventory

/// Builds an event from a rule's evaluated fields; what does not fit the model is thrown and becomes a reject.
struct DraftBuilder {
    let type: EventType
    /// For `stock.reversed`.
    let reversedType: EventType?
    let fields: MappedFields
    let rules: InventoryRules
    let timeQuality: TimeQuality
    let reasons: [String: String]
    let units: UnitTable?

    /// Adds the event; made where it stays, since it is copied at a price.
    func build(
        _ event: (id: EventID, traceparent: Traceparent), origin: Origin, capturedAt: Timestamp,
        mappingVersion: String, into drafts: inout [EventDraft]
    ) throws {
        guard let sku = fields[.sku] else { throw InventoryError(code: "sku", message: "the mapping gives no sku") }
        let from = try key(sku: sku, .location, .lot, .owner)
        let occurredAt = fields.occurredAt
        drafts.append(
            EventDraft(
                id: event.id, type: type, sku: sku, origin: origin, occurredAt: occurredAt ?? capturedAt,
                timeQuality: occurredAt == nil ? .captured : timeQuality, capturedAt: capturedAt,
                mappingVersion: mappingVersion, traceparent: event.traceparent))
        try fill(&drafts[drafts.count - 1], sku, from)
    }

    private func fill(_ draft: inout EventDraft, _ sku: String, _ from: StockKey) throws {
        draft.gtin = fields[.gtin]
        let factor = try factor(sku)
        let quantity = try fields[.quantity].map { text throws(InventoryError) in try amount(text, factor) }
        draft.quantity = quantity.map {
            MeasuredQuantity(
                value: $0, unit: factor?.base ?? fields[.uom], originalValue: factor == nil ? nil : fields[.quantity],
                originalUnit: factor == nil ? nil : fields[.uom])
        }
        draft.changes = try movement(from, quantity).changes(rules: rules)
        if type == .level { draft.levels = [StockLevel(key: from, buckets: try levels(factor))] }
        if type == .counted { draft.count = try count(from, factor) }
        draft.reason = fields[.reason].map { own in
            Reason(
                code: reasons[own] ?? (Reason.codes.contains(own) ? own : "unknown"), sourceCode: own,
                text: fields[.reasonText])
        }
        draft.reverses = fields[.reverses]
        draft.reversedType = reversedType
        if type == .reversed, draft.reverses == nil {
            throw InventoryError(code: "reversed", message: "stock.reversed wants reverses: the other record's id")
        }
        draft.document = fields[.document].map {
            Document(type: fields[.documentType] ?? "other", number: $0, line: fields[.documentLine])
        }
        draft.correlationID = fields[.correlation] ?? fields[.document]
    }

    /// Of a record that says what there is, not what happened; `key` is set as soon as it is known.
    func level(key found: inout StockKey?) throws -> StockLevel {
        guard let sku = fields[.sku] else { throw InventoryError(code: "sku", message: "the mapping gives no sku") }
        let key = try key(sku: sku, .location, .lot, .owner)
        found = key
        return StockLevel(key: key, buckets: try levels(try factor(sku)))
    }

    /// How many base units the record's unit has; nil without a table of units, or a unit.
    private func factor(_ sku: String) throws(InventoryError) -> UnitTable.Factor? {
        guard let units, let unit = fields[.uom] else { return nil }
        return try units.factor(sku: sku, unit: unit)
    }

    private func amount(_ text: String, _ factor: UnitTable.Factor?) throws(InventoryError) -> Quantity {
        let amount = try Quantity(text)
        return try factor?.apply(to: amount) ?? amount
    }

    private func movement(_ from: StockKey, _ quantity: Quantity?) throws -> Movement {
        var movement = Movement(type: type, from: from, to: try target(from), quantity: quantity)
        if let name = fields[.bucket] { movement.bucket = try bucket(name) }
        movement.toBucket = try fields[.toBucket].map(bucket)
        movement.original = reversedType
        return movement
    }

    /// Where nothing else is named, all stays as it was.
    private func target(_ from: StockKey) throws -> StockKey {
        let (sku, location, lot, owner) = (fields[.toSKU], fields[.toLocation], fields[.toLot], fields[.toOwner])
        if sku == nil, location == nil, lot == nil, owner == nil { return from }
        return try valid(
            StockKey(
                sku: sku ?? from.sku, location: location ?? from.location, lot: lot ?? from.lot,
                owner: owner ?? from.owner))
    }

    private func valid(_ key: StockKey) throws -> StockKey {
        guard key.isValid else {
            throw InventoryError(code: "stock_key", message: "a field of the stock key holds the separator 0x1F")
        }
        return key
    }

    private func key(sku: String, _ location: MappingField, _ lot: MappingField, _ owner: MappingField) throws
        -> StockKey
    {
        try valid(
            StockKey(sku: sku, location: fields[location] ?? "", lot: fields[lot] ?? "", owner: fields[owner] ?? ""))
    }

    private func bucket(_ name: String) throws -> Bucket {
        guard let bucket = Bucket(name: name) else {
            throw InventoryError(code: "bucket", message: "\"\(name)\" is no bucket")
        }
        return bucket
    }

    private func levels(_ factor: UnitTable.Factor?) throws -> [Bucket: Quantity] {
        var levels: [Bucket: Quantity] = [:]
        for (field, bucket) in MappingField.levels {
            if let text = fields[field] { levels[bucket] = try amount(text, factor) }
        }
        guard !levels.isEmpty else { throw InventoryError(code: "level", message: "stock.level names no bucket") }
        return levels
    }

    private func count(_ key: StockKey, _ factor: UnitTable.Factor?) throws -> StockCount {
        guard let text = fields[.counted] else {
            throw InventoryError(code: "counted", message: "stock.counted wants counted")
        }
        let counted = try amount(text, factor)
        let expected = try fields[.expected].map { text throws(InventoryError) in try amount(text, factor) }
        return StockCount(
            key: key, expected: expected, counted: counted,
            difference: try expected.map { value throws(InventoryError) in try counted.subtracting(value) })
    }
}
