package import Inventory

/// A first mapping of what a sample holds, for a person to mend.
package struct Proposal: Sendable {
    package struct Use: Sendable {
        package var column: ColumnSketch
        package var role: ColumnRole?
        package var sureness: ColumnRole.Sureness
        package var isUsed: Bool
    }

    package struct Field: Sendable {
        package var field: MappingField
        package var sql: String
        /// What a person has to look at.
        package var todo: String?
    }

    package struct Rule: Sendable {
        package var type: EventType
        package var when: String?
        package var fields: [Field]
        /// How many records it is for, and why it is of this type.
        package var note: String
        /// False: it needs a person before it can work.
        package var isReady: Bool
    }

    /// Complete files that hold all stock, not changes of it.
    package var isStock = false
    package var uses: [Use]
    package var rules: [Rule] = []
    package var todos: [String] = []

    private let sketch: SampleSketch
    private var columns: [ColumnRole: Int] = [:]

    private static let mostRules = 20

    package init(_ sketch: SampleSketch) {
        self.sketch = sketch
        uses = sketch.columns.map { Use(column: $0, role: nil, sureness: .guess, isUsed: false) }
        assign()
        if !sketch.hasOwnNames { assignLeftovers() }
        if sketch.records == 0 { todos.append("there are no records yet, only names: take a sample with some") }
        isStock = looksLikeStock
        if isStock { rules = [stockRule()] } else { proposeMovements() }
        if columns[.sku] == nil {
            todos.append("no column was found for the item: sku is needed")
            rules = rules.map { unready($0) }
        }
    }

    // MARK: columns

    /// The surest column of each role; without names, what the values alone tell.
    private mutating func assign() {
        for index in uses.indices {
            let column = uses[index].column
            let isDuplicate = sketch.columns.count { $0.name == column.name } > 1
            if isDuplicate || column.name.isEmpty || column.kind == .empty && sketch.records > 0 { continue }
            guard let (role, sureness) = ColumnRole.of(column.name) ?? byValues(column) else { continue }
            uses[index].role = role
            uses[index].sureness = fits(column, role) ? sureness : .guess
            guard fits(column, role) else { continue }
            let other = columns[role].map { uses[$0].sureness }
            if other.map({ $0 < sureness }) ?? true { columns[role] = index }
        }
    }

    /// Without names: of what is left, the numbers that come last, and the code that differs most.
    private mutating func assignLeftovers() {
        func left(_ fits: (ColumnSketch) -> Bool) -> [Int] {
            uses.indices.filter { uses[$0].role == nil && uses[$0].column.filled > 0 && fits(uses[$0].column) }
        }
        let numbers = left { $0.kind == .integer && !($0.isUnique && $0.isEven) }
        if columns[.quantity] == nil, let last = numbers.last { take(last, as: .quantity) }
        let texts = left { !$0.example.contains(" ") && $0.example.utf8.contains { (0x30...0x39).contains($0) } }
        let item = texts.max { (uses[$0].column.distinct, $1) < (uses[$1].column.distinct, $0) }
        if columns[.sku] == nil, let item { take(item, as: .sku) }
    }

    private mutating func take(_ index: Int, as role: ColumnRole) {
        uses[index].role = role
        columns[role] = index
    }

    private func byValues(_ column: ColumnSketch) -> (ColumnRole, ColumnRole.Sureness)? {
        if case .time(let pattern, _) = column.kind { return (pattern.contains("y") ? .date : .time, .guess) }
        switch column.kind {
        case .instant: return (.date, .guess)
        case .decimal, .packed: return (.quantity, .guess)
        case .text where column.isCode && column.values.contains(where: { MovementCodes.type(of: $0.text) != nil }):
            return (.code, .guess)
        case .integer where column.isUnique && column.isEven && sketch.records > 9: return (.id, .guess)
        case .text where column.isUnique && !column.example.contains(" "): return (.id, .guess)
        default: return nil
        }
    }

    /// Whether the values can be what the name says.
    private func fits(_ column: ColumnSketch, _ role: ColumnRole) -> Bool {
        if sketch.records == 0 { return true }
        return switch role {
        case .quantity, .counted, .expected, .allocated, .blocked, .damaged: column.isNumber
        case .date: column.isTime || column.kind == .integer
        case .time: column.isTime || column.kind == .integer
        case .code, .status, .reason: column.values.count > 0
        case .id: column.isUnique || sketch.records == 1
        default: true
        }
    }

    private func column(_ role: ColumnRole) -> ColumnSketch? { columns[role].map { uses[$0].column } }

    /// Items and quantities, each key once, and nothing that says what happened.
    private var looksLikeStock: Bool {
        guard let sku = columns[.sku], let quantity = columns[.quantity], columns[.code] == nil, columns[.id] == nil,
            !uses[quantity].column.hasNegative
        else { return false }
        let key = [sku] + [.warehouse, .location, .lot, .owner, .status].compactMap { columns[$0] }
        let keys = Set(sketch.rows.map { row in key.map { $0 < row.count ? row[$0] : "" } })
        return keys.count * 20 >= sketch.rows.count * 19
    }

    // MARK: expressions

    private mutating func sql(_ role: ColumnRole) -> String? {
        guard let index = columns[role] else { return nil }
        uses[index].isUsed = true
        let column = uses[index].column
        let name = SQLName.quoted(column.name)
        return column.isPadded && sketch.format.kind != .fixed ? "trim(\(name))" : name
    }

    private mutating func number(_ role: ColumnRole, negated: Bool = false) -> (sql: String, todo: String?)? {
        guard let index = columns[role] else { return nil }
        uses[index].isUsed = true
        let column = uses[index].column
        let name = SQLName.quoted(column.name)
        var sql = "decimal(\(name))"
        var todo: String?
        if case .decimal(let mark, let isSure) = column.kind {
            if mark == "," { sql = "decimal(\(name), ',')" }
            if !isSure { todo = "is \(column.example) a decimal, or thousands?" }
        }
        return (negated ? "decimal_neg(\(sql))" : sql, todo)
    }

    private mutating func add(_ field: MappingField, _ role: ColumnRole, to fields: inout [Field]) {
        guard let sql = sql(role), let index = columns[role] else { return }
        let use = uses[index]
        let why = ColumnRole.of(use.column.name) == nil ? "its values" : "its name"
        let todo = use.sureness == .sure ? nil : "\(use.sureness.words), by \(why)"
        fields.append(Field(field: field, sql: sql, todo: todo))
    }

    /// What all rules have in common; the quantity comes apart.
    private mutating func keyFields() -> [Field] {
        var fields: [Field] = []
        add(.sku, .sku, to: &fields)
        add(.gtin, .gtin, to: &fields)
        if let index = fields.firstIndex(where: { $0.field == .gtin }) {
            fields[index].sql = "gtin(\(fields[index].sql))"
        }
        add(.uom, .uom, to: &fields)
        if columns[.warehouse] != nil, columns[.location] != nil {
            let (warehouse, place) = (sql(.warehouse) ?? "", sql(.location) ?? "")
            fields.append(Field(field: .location, sql: "\(warehouse) || '-' || \(place)"))
        } else {
            add(.location, columns[.location] == nil ? .warehouse : .location, to: &fields)
        }
        add(.lot, .lot, to: &fields)
        add(.owner, .owner, to: &fields)
        return fields
    }

    private mutating func occurredAt() -> Field? {
        guard let index = columns[.date] else { return nil }
        let name = SQLName.quoted(uses[index].column.name)
        switch uses[index].column.kind {
        case .instant:
            uses[index].isUsed = true
            return Field(field: .occurredAt, sql: name)
        case .time(let pattern, let other):
            uses[index].isUsed = true
            let todo = other.map { "or is it \($0)?" }
            guard !pattern.contains("H"), let time = columns[.time],
                let (sql, part) = Self.timeOfDay(uses[time].column)
            else { return Field(field: .occurredAt, sql: "local_time(\(name), '\(pattern)')", todo: todo) }
            uses[time].isUsed = true
            return Field(field: .occurredAt, sql: "local_time(\(name) || \(sql), '\(pattern)\(part)')", todo: todo)
        default:
            todos.append("\(name) looks like a time in a form that is not known, e.g. \(uses[index].column.example)")
            return nil
        }
    }

    private static func timeOfDay(_ column: ColumnSketch) -> (sql: String, pattern: String)? {
        let name = SQLName.quoted(column.name)
        if case .time(let pattern, _) = column.kind, !pattern.contains("y") { return (name, pattern) }
        // 91405 is 09:14:05 of a host that prints numbers.
        if column.kind == .integer, column.example.utf8.count <= 6 { return ("printf('%06d', \(name))", "HHmmss") }
        return nil
    }

    // MARK: rules

    private mutating func stockRule() -> Rule {
        var fields = keyFields()
        let buckets: [(MappingField, ColumnRole)] = [
            (.unrestricted, .quantity), (.allocated, .allocated), (.blocked, .blocked), (.damaged, .damaged),
        ]
        for (field, role) in buckets {
            if let (sql, todo) = number(role) { fields.append(Field(field: field, sql: sql, todo: todo)) }
        }
        if let status = column(.status) {
            let seen = status.values.prefix(8).map { "\($0.text) (\($0.count))" }.joined(separator: ", ")
            todos.append("\(status.name) may say in which bucket stock is: \(seen)")
        }
        return Rule(type: .level, when: nil, fields: fields, note: "all stock: each record one key", isReady: true)
    }

    private mutating func proposeMovements() {
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

    private func unready(_ rule: Rule, _ why: String? = nil) -> Rule {
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
