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

    func build(
        id: EventID, traceparent: Traceparent, origin: Origin, capturedAt: Timestamp, mappingVersion: String
    ) throws -> EventDraft {
        guard let sku = fields[.sku] else { throw InventoryError(code: "sku", message: "the mapping gives no sku") }
        let from = try key(sku: sku, .location, .lot, .owner)
        let occurredAt = fields.occurredAt
        var draft = EventDraft(
            id: id, type: type, sku: sku, origin: origin, occurredAt: occurredAt ?? capturedAt,
            timeQuality: occurredAt == nil ? .captured : timeQuality, capturedAt: capturedAt,
            mappingVersion: mappingVersion, traceparent: traceparent)
        draft.gtin = fields[.gtin]
        let quantity = try fields[.quantity].map { text throws(InventoryError) in try Quantity(text) }
        draft.quantity = quantity.map {
            MeasuredQuantity(value: $0, unit: fields[.uom], originalValue: nil, originalUnit: nil)
        }
        draft.changes = try movement(from, sku: sku, quantity: quantity).changes(rules: rules)
        if type == .level { draft.levels = [StockLevel(key: from, buckets: try levels())] }
        if type == .counted { draft.count = try count(from) }
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
        return draft
    }

    private func movement(_ from: StockKey, sku: String, quantity: Quantity?) throws -> Movement {
        var to = try key(sku: fields[.toSKU] ?? sku, .toLocation, .toLot, .toOwner)
        if to.location.isEmpty { to.location = from.location }
        if to.lot.isEmpty { to.lot = from.lot }
        if to.owner.isEmpty { to.owner = from.owner }
        var movement = Movement(type: type, from: from, to: to, quantity: quantity)
        if let name = fields[.bucket] { movement.bucket = try bucket(name) }
        movement.toBucket = try fields[.toBucket].map(bucket)
        movement.original = reversedType
        return movement
    }

    private func key(sku: String, _ location: MappingField, _ lot: MappingField, _ owner: MappingField) throws
        -> StockKey
    {
        let key = StockKey(
            sku: sku, location: fields[location] ?? "", lot: fields[lot] ?? "", owner: fields[owner] ?? "")
        guard key.isValid else {
            throw InventoryError(code: "stock_key", message: "a field of the stock key holds the separator 0x1F")
        }
        return key
    }

    private func bucket(_ name: String) throws -> Bucket {
        guard let bucket = Bucket(name: name) else {
            throw InventoryError(code: "bucket", message: "\"\(name)\" is no bucket")
        }
        return bucket
    }

    private func levels() throws -> [Bucket: Quantity] {
        let named: [(MappingField, Bucket)] = [
            (.unrestricted, .unrestricted), (.quarantined, .quarantined), (.damaged, .damaged), (.blocked, .blocked),
            (.allocated, .allocated), (.inTransit, .inTransit),
        ]
        var levels: [Bucket: Quantity] = [:]
        for (field, bucket) in named {
            if let text = fields[field] { levels[bucket] = try Quantity(text) }
        }
        guard !levels.isEmpty else { throw InventoryError(code: "level", message: "stock.level names no bucket") }
        return levels
    }

    private func count(_ key: StockKey) throws -> StockCount {
        guard let text = fields[.counted] else {
            throw InventoryError(code: "counted", message: "stock.counted wants counted")
        }
        let counted = try Quantity(text)
        let expected = try fields[.expected].map { text throws(InventoryError) in try Quantity(text) }
        return StockCount(
            key: key, expected: expected, counted: counted,
            difference: try expected.map { value throws(InventoryError) in try counted.subtracting(value) })
    }
}
