import Inventory

/// Reads numbers as legacy systems print them: comma or point, grouped thousands, a minus at either end, parentheses,
/// CR and DR, implied places.
///
/// Groups are held to their form (`1.234.567,5`, `12,34,567`), or a number in the other notation would be read as
/// another one: `1,5` is 1.5 or nothing, never 15.
struct DecimalText {
    private let text: UnsafeRawBufferPointer
    private let mark: UInt8
    private let places: Int?
    private var start = 0
    private var end: Int

    /// `mark`: point or comma. `places`: of a number without a mark, how many of its digits are decimals, 0 to 6.
    static func quantity(
        _ text: UnsafeRawBufferPointer, mark: UInt8, places: Int? = nil
    ) throws(InventoryError) -> Quantity {
        var reader = DecimalText(text: text, mark: mark, places: places, end: text.count)
        return try reader.read()
    }

    private mutating func read() throws(InventoryError) -> Quantity {
        trim()
        var isNegative = false
        if start < end, text[start] == UInt8(ascii: "("), text[end - 1] == UInt8(ascii: ")") {
            isNegative = true
            start += 1
            end -= 1
        } else if let sign = trailingSign() {
            isNegative = sign
        } else if start < end, [UInt8(ascii: "-"), UInt8(ascii: "+")].contains(text[start]) {
            isNegative = text[start] == UInt8(ascii: "-")
            start += 1
        }
        trim()
        let magnitude = try magnitude()
        return isNegative ? magnitude.negated : magnitude
    }

    /// Whether the number is negative by what stands after it; nil where nothing does.
    private mutating func trailingSign() -> Bool? {
        guard let last = start < end ? text[end - 1] : nil else { return nil }
        switch last {
        case UInt8(ascii: "-"), UInt8(ascii: "+"):
            end -= 1
            return last == UInt8(ascii: "-")
        case UInt8(ascii: "R") where end - start > 2 && "CD".utf8.contains(text[end - 2]):
            end -= 2
            return text[end] == UInt8(ascii: "C")
        default: return nil
        }
    }

    private func magnitude() throws(InventoryError) -> Quantity {
        var value: Int64 = 0
        var integerDigits = 0
        var group = 0
        var groups = 0
        var decimals: Int?
        var index = start
        while index < end {
            let byte = text[index]
            let width = groupMark(at: index)
            if (0x30...0x39).contains(byte) {
                if let count = decimals {
                    decimals = count + 1
                    if count >= 6 {
                        guard byte == 0x30 else { throw tooFine }
                        index += 1
                        continue
                    }
                } else {
                    group += 1
                    integerDigits += value > 0 || byte > 0x30 ? 1 : 0
                }
                guard integerDigits <= 12 + (places ?? 0) else { throw overflow }
                value = value * 10 + Int64(byte - 0x30)
                index += 1
            } else if byte == mark, decimals == nil, places == nil {
                guard groups == 0 || group == 3 else { throw malformed }
                decimals = 0
                index += 1
            } else if width > 0, decimals == nil, groups == 0 ? (1...3).contains(group) : (2...3).contains(group) {
                groups += 1
                group = 0
                index += width
            } else {
                throw malformed
            }
        }
        guard group > 0 || (decimals ?? 0) > 0, decimals != nil || groups == 0 || group == 3 else { throw malformed }
        let scale = min(6, places ?? decimals ?? 0)
        for _ in scale..<6 {
            let (product, overflows) = value.multipliedReportingOverflow(by: 10)
            guard !overflows else { throw overflow }
            value = product
        }
        return try Quantity(millionths: value)
    }

    /// How many bytes a mark between groups has here; 0 for none.
    private func groupMark(at index: Int) -> Int {
        let byte = text[index]
        if byte == (mark == UInt8(ascii: ",") ? UInt8(ascii: ".") : UInt8(ascii: ",")) { return 1 }
        return byte == UInt8(ascii: "'") ? 1 : space(at: index)
    }

    /// A space, U+00A0 or U+202F.
    private func space(at index: Int) -> Int {
        switch text[index] {
        case 0x20: 1
        case 0xC2 where index + 1 < end && text[index + 1] == 0xA0: 2
        case 0xE2 where index + 2 < end && text[index + 1] == 0x80 && text[index + 2] == 0xAF: 3
        default: 0
        }
    }

    private mutating func trim() {
        while start < end, case let width = space(at: start), width > 0 { start += width }
        while end > start {
            if text[end - 1] == 0x20 {
                end -= 1
            } else if end - start >= 2, space(at: end - 2) == 2 {
                end -= 2
            } else {
                return
            }
        }
    }

    private var words: String { String(decoding: text, as: UTF8.self) }

    private var malformed: InventoryError {
        InventoryError(code: "quantity", message: "\"\(words)\" is no decimal number")
    }

    private var tooFine: InventoryError {
        InventoryError(code: "quantity", message: "\"\(words)\" has more than 6 decimal places")
    }

    private var overflow: InventoryError {
        InventoryError(code: "overflow", message: "\"\(words)\" is beyond 12 integer digits")
    }
}
