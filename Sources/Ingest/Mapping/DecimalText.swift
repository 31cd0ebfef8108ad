import Inventory

/// Reads numbers as legacy systems print them: comma or point, thousands marks, trailing minus, parentheses, CR and DR.
enum DecimalText {
    /// `mark` is the decimal mark. Returns canonical text; throws for what is no number.
    static func canonical(_ text: String, mark: Character) throws(InventoryError) -> String {
        var body = Substring(text.filter { $0 != " " && $0 != "\u{A0}" && $0 != "'" })
        var isNegative = false
        if body.hasPrefix("("), body.hasSuffix(")") {
            isNegative = true
            body = body.dropFirst().dropLast()
        } else if body.hasSuffix("-") || body.hasSuffix("CR") {
            isNegative = true
            body = body.dropLast(body.hasSuffix("-") ? 1 : 2)
        } else if body.hasSuffix("DR") || body.hasSuffix("+") {
            body = body.dropLast(body.hasSuffix("+") ? 1 : 2)
        }
        let thousands: Character = mark == "," ? "." : ","
        let parts = body.split(separator: mark, omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.count == 1 || !parts[1].contains(thousands) else {
            throw InventoryError(code: "quantity", message: "\"\(text)\" is no decimal number")
        }
        let integer = parts[0].filter { $0 != thousands }
        let plain = parts.count == 2 && !parts[1].isEmpty ? "\(integer.isEmpty ? "0" : integer).\(parts[1])" : integer
        let quantity = try Quantity(plain)
        return (isNegative ? quantity.negated : quantity).description
    }
}
