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

    let sketch: SampleSketch
    /// Which column stands for a role.
    var columns: [ColumnRole: Int] = [:]

    package init(_ sketch: SampleSketch) {
        self.sketch = sketch
        uses = sketch.columns.map { Use(column: $0, role: nil, sureness: .guess, isUsed: false) }
        assign()
        if !sketch.hasOwnNames { assignLeftovers() }
        if sketch.records == 0 { todos.append("there are no records yet, only names: take a sample with some") }
        isStock = looksLikeStock
        askWhichQuantity()
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
        if case .time(let pattern, _) = column.kind, pattern.contains("y") { return (.date, .guess) }
        // A name that says nothing known is believed to mean something else.
        if sketch.hasOwnNames { return column.kind == .instant ? (.date, .guess) : nil }
        switch column.kind {
        case .time: return (.time, .guess)
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
    func fits(_ column: ColumnSketch, _ role: ColumnRole) -> Bool {
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

    func column(_ role: ColumnRole) -> ColumnSketch? { columns[role].map { uses[$0].column } }

    /// Items and quantities, and nothing that says what happened: by their places, or each key once.
    private var looksLikeStock: Bool {
        guard let sku = columns[.sku], let quantity = columns[.quantity], columns[.code] == nil, columns[.id] == nil,
            !uses[quantity].column.hasNegative
        else { return false }
        if columns[.location] != nil, columns[.document] == nil { return true }
        let key = [sku] + [.warehouse, .location, .lot, .owner, .status].compactMap { columns[$0] }
        let keys = Set(sketch.rows.map { row in key.map { $0 < row.count ? row[$0] : "" } })
        return keys.count * 20 >= sketch.rows.count * 19
    }

    private mutating func askWhichQuantity() {
        let others = uses.filter { $0.role == .quantity && $0.column.isNumber }.map(\.column.name)
        if others.count > 1 { todos.append("several columns may be the quantity: \(others.joined(separator: ", "))") }
        guard let status = column(.status), columns[.code] == nil else { return }
        let seen = status.values.prefix(8).map { "\($0.text) (\($0.count))" }.joined(separator: ", ")
        let what = isStock ? "in which bucket stock is" : "what happened"
        todos.append("\(status.name) may say \(what): \(seen)")
    }

    // MARK: expressions

    mutating func sql(_ role: ColumnRole) -> String? {
        guard let index = columns[role] else { return nil }
        uses[index].isUsed = true
        let column = uses[index].column
        let name = SQLName.quoted(column.name)
        return column.isPadded && sketch.format.kind != .fixed ? "trim(\(name))" : name
    }

    mutating func number(_ role: ColumnRole, negated: Bool = false) -> (sql: String, todo: String?)? {
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

    mutating func add(_ field: MappingField, _ role: ColumnRole, to fields: inout [Field]) {
        guard let sql = sql(role), let index = columns[role] else { return }
        let use = uses[index]
        let why = ColumnRole.of(use.column.name) == nil ? "its values" : "its name"
        let todo = use.sureness == .sure ? nil : "\(use.sureness.words), by \(why)"
        fields.append(Field(field: field, sql: sql, todo: todo))
    }

    /// What all rules have in common; the quantity comes apart.
    mutating func keyFields() -> [Field] {
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

    mutating func occurredAt() -> Field? {
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
}
