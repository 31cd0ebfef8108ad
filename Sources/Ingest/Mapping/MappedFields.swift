import Inventory
import SQLite

/// What a rule's expressions gave for one record: text by field, nil for NULL and for an empty text.
struct MappedFields {
    private var texts = [String?](repeating: nil, count: MappingField.allCases.count)
    private(set) var occurredAt: Timestamp?
    /// It came with its offset from UTC, from no time function.
    private(set) var isInstant = false
    private var filled: [MappingField] = []

    subscript(field: MappingField) -> String? { texts[field.rawValue] }

    /// Takes the row's columns from `first` on, in the order of `fields`.
    mutating func read(_ row: Statement, _ fields: [MappingField], from first: Int = 0) throws(InventoryError) {
        for field in filled { texts[field.rawValue] = nil }
        filled = fields
        occurredAt = nil
        isInstant = false
        for (column, field) in fields.enumerated() {
            let column = Int32(first + column)
            if row.isNull(column) { continue }
            if field == .occurredAt {
                occurredAt = try Self.moment(row, column)
                isInstant = !row.isInteger(column)
            } else {
                guard let text = row.text(column), !text.isEmpty else { continue }
                texts[field.rawValue] = text
            }
        }
    }

    /// Milliseconds since 1970 as the time functions give them, or RFC 3339; nil for an empty text.
    private static func moment(_ row: Statement, _ column: Int32) throws(InventoryError) -> Timestamp? {
        if row.isInteger(column) { return Timestamp(milliseconds: row.integer(column)) }
        guard let text = row.text(column), !text.isEmpty else { return nil }
        guard let moment = Timestamp(rfc3339: text) else {
            throw InventoryError(
                code: "time", message: "occurred_at is \"\(text)\": neither a time function's answer nor RFC 3339")
        }
        return moment
    }
}
