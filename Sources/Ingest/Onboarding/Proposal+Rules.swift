import Inventory

/// The rules: one for all stock, or one for each code of a movement.
extension Proposal {
    private static let mostRules = 20

    mutating func stockRule() -> Rule {
        var fields = keyFields()
        let buckets: [(MappingField, ColumnRole)] = [
            (.unrestricted, .quantity), (.allocated, .allocated), (.blocked, .blocked), (.damaged, .damaged),
        ]
        for (field, role) in buckets {
            if let (sql, todo) = number(role) { fields.append(Field(field: field, sql: sql, todo: todo)) }
        }
        return Rule(type: .level, when: nil, fields: fields, note: "all stock: each record one key", isReady: true)
    }

    mutating func proposeMovements() {
        let key = keyFields()
        var common: [Field] = []
        add(.id, .id, to: &common)
        common += key
        var rest: [Field] = []
        if let when = occurredAt() { rest.append(when) }
        add(.document, .document, to: &rest)
        if columns[.document] != nil { add(.documentLine, .line, to: &rest) }
        add(.reason, columns[.reason] == nil ? .code : .reason, to: &rest)
        for use in uses where use.role == .id && !fits(use.column, .id) {
            todos.append("\(use.column.name) is no id by itself: it comes more than once")
        }
        guard let code = columns[.code], sketch.records > 0 else {
            let note =
                columns[.code] == nil
                ? "no column says what kind of movement a record is" : "the codes of movements are not known yet"
            todos.append(note)
            return rules = [rule(.adjusted, when: nil, note: note, rows: sketch.rows, common, rest)]
        }
        let name = sql(.code) ?? ""
        let codes = uses[code].column.values
        for (text, count) in codes.prefix(Self.mostRules) {
            let rows = sketch.rows.filter { code < $0.count && ColumnSketch.trimmed($0[code]) == text }
            let type = MovementCodes.type(of: text)
            let when =
                "\(name) = '\(text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''"))'"
            let note = "\(count) of \(sketch.records) records"
            var rule = rule(type ?? .adjusted, when: when, note: note, rows: rows, common, rest)
            if type == nil { rule = unready(rule, "what \"\(text)\" means is not known") }
            rules.append(rule)
        }
        let unmapped = codes.dropFirst(Self.mostRules).map(\.text)
        if !unmapped.isEmpty { todos.append("no rule is drafted for: \(unmapped.joined(separator: ", "))") }
        showOne()
    }

    /// A draft that gives no event shows nothing: then the most frequent code stands as an adjustment.
    private mutating func showOne() {
        guard !rules.contains(where: \.isReady), !rules.isEmpty, columns[.quantity] != nil else { return }
        rules[0].isReady = true
        rules[0].type = .adjusted
        rules[0].note += "; it stands as an adjustment only so that the draft shows something"
    }

    private mutating func rule(
        _ type: EventType, when: String?, note: String, rows: [[String]], _ common: [Field], _ rest: [Field]
    ) -> Rule {
        var rule = Rule(type: type, when: when, fields: common, note: note, isReady: true)
        let signs = signs(rows)
        let isNegated = type != .adjusted && signs.negative > 0 && signs.positive == 0
        if let (sql, todo) = number(
            type == .counted && columns[.counted] != nil ? .counted : .quantity, negated: isNegated)
        {
            rule.fields.append(Field(field: type == .counted ? .counted : .quantity, sql: sql, todo: todo))
        } else {
            rule = unready(rule, "no column was found for the quantity")
        }
        if type == .counted, let (sql, todo) = number(.expected) {
            rule.fields.append(Field(field: .expected, sql: sql, todo: todo))
        }
        if type == .moved {
            if let sql = sql(.toLocation) {
                let warehouse =
                    columns[.warehouse] != nil && columns[.location] != nil
                    ? "\(self.sql(.warehouse) ?? "") || '-' || " : ""
                rule.fields.append(Field(field: .toLocation, sql: warehouse + sql))
            } else {
                rule = unready(rule, "stock.moved wants to_location: where it goes")
            }
        }
        if type != .adjusted, signs.negative > 0, signs.positive > 0 {
            rule.note += "; TODO: \(signs.negative) have a negative quantity, which \(type.rawValue) rejects"
        }
        rule.fields += rest
        return rule
    }

    func unready(_ rule: Rule, _ why: String? = nil) -> Rule {
        var rule = rule
        rule.isReady = false
        if let why { rule.note += "; TODO: \(why)" }
        return rule
    }

    private func signs(_ rows: [[String]]) -> (negative: Int, positive: Int) {
        guard let index = columns[.quantity] else { return (0, 0) }
        let values = rows.compactMap { index < $0.count ? ColumnSketch.trimmed($0[index]) : nil }
        let negative = values.count { $0.hasPrefix("-") || $0.hasSuffix("-") || $0.hasPrefix("(") }
        let positive = values.count { $0.contains { ("1"..."9").contains($0) } } - negative
        return (negative, max(0, positive))
    }
}
