import Inventory

/// What a record becomes, a line for each event: nothing in it depends on when or by which mapping it was read.
enum OutcomeWords {
    static func lines(_ outcome: CapturedRecord.Outcome) -> [String] {
        switch outcome {
        case .events(let drafts): drafts.map(words)
        case .reject(let reason): ["reject \(reason.code): \(reason.message)"]
        case .ignored(let rule): ["ignored by rule \(rule + 1)"]
        }
    }

    private static func words(_ draft: EventDraft) -> String {
        var words = [draft.type.rawValue, "sku=\(draft.sku)"]
        func add(_ name: String, _ value: (some CustomStringConvertible)?) {
            if let value, !value.description.isEmpty { words.append("\(name)=\(value)") }
        }
        add("gtin", draft.gtin)
        add("quantity", draft.quantity?.value)
        add("uom", draft.quantity?.unit)
        for change in draft.changes {
            let sign = change.delta.isNegative ? "" : "+"
            words.append("\(place(change.key)).\(change.bucket.name)\(sign)\(change.delta)")
        }
        for level in draft.levels {
            for (bucket, quantity) in level.buckets.sorted(by: { $0.key.name < $1.key.name }) {
                words.append("\(place(level.key)).\(bucket.name)=\(quantity)")
            }
        }
        if let count = draft.count {
            add("at", place(count.key))
            add("expected", count.expected)
            add("counted", count.counted)
        }
        if draft.timeQuality != .captured { add("occurred_at", draft.occurredAt) }
        add("document", draft.document?.number)
        add("line", draft.document?.line)
        add("reason", draft.reason?.code)
        add("source_code", draft.reason?.sourceCode)
        add("reverses", draft.reverses)
        add("id", draft.origin.key)
        return words.joined(separator: " ")
    }

    private static func place(_ key: StockKey) -> String {
        let parts = [
            key.location, key.lot.isEmpty ? "" : "lot:\(key.lot)", key.owner.isEmpty ? "" : "owner:\(key.owner)",
        ]
        return "[\(parts.filter { !$0.isEmpty }.joined(separator: " "))]"
    }
}
