// Numbers as hosts store them, to plain decimal text (`-123.45`) with as many decimals as the column declares.
//
// Packed and zoned decimals: IBM z/Architecture Principles of Operation, "Decimal instructions". The sign's half byte is
// C, F, A or E for plus and D or B for minus. Where EBCDIC was turned into ASCII, the last digit's zone became a letter
// or a brace (`{A-I`, `}J-R`); compilers on ASCII systems wrote minus as `p-y`.

/// Reads the digits of one field; the buffer is used again for the next.
struct FixedNumber {
    enum Reading: Equatable { case empty, number, malformed }

    private var digits: [UInt8] = []
    private var isNegative = false

    /// Blanks or low values only are no number and no error.
    mutating func read(_ field: UnsafeRawBufferPointer, _ kind: FixedColumn.Kind, isEBCDIC: Bool) -> Reading {
        if Self.isEmpty(field) { return .empty }
        digits.removeAll(keepingCapacity: true)
        isNegative = false
        let isNumber =
            switch kind {
            case .packed: packed(field)
            case .zoned: isEBCDIC ? zonedEBCDIC(field) : zonedASCII(field)
            case .text: false
            }
        return isNumber ? .number : .malformed
    }

    private static func isEmpty(_ field: UnsafeRawBufferPointer) -> Bool {
        guard let first = field.first else { return true }
        return (first == 0x40 || first == 0x20 || first == 0) && field.allSatisfy { $0 == first }
    }

    // MARK: packed

    private mutating func packed(_ field: UnsafeRawBufferPointer) -> Bool {
        guard let last = field.last else { return false }
        for byte in field.dropLast() {
            guard append(byte >> 4), append(byte & 0x0F) else { return false }
        }
        return append(last >> 4) && take(sign: last & 0x0F)
    }

    private mutating func append(_ digit: UInt8) -> Bool {
        guard digit <= 9 else { return false }
        digits.append(digit)
        return true
    }

    private mutating func take(sign: UInt8) -> Bool {
        isNegative = sign == 0x0D || sign == 0x0B
        return sign > 9
    }

    // MARK: zoned

    private mutating func zonedEBCDIC(_ field: UnsafeRawBufferPointer) -> Bool {
        var rest = field[...]
        let isSigned = takeSeparateSign(&rest, plus: 0x4E, minus: 0x60, blank: 0x40)
        guard let last = rest.last else { return false }
        for byte in rest.dropLast() {
            guard byte >> 4 == 0x0F, append(byte & 0x0F) else { return false }
        }
        guard append(last & 0x0F) else { return false }
        return isSigned ? last >> 4 == 0x0F : take(sign: last >> 4)
    }

    private mutating func zonedASCII(_ field: UnsafeRawBufferPointer) -> Bool {
        var rest = field[...]
        let isSigned = takeSeparateSign(
            &rest, plus: UInt8(ascii: "+"), minus: UInt8(ascii: "-"), blank: UInt8(ascii: " "))
        guard let last = rest.last else { return false }
        for byte in rest.dropLast() {
            guard byte >> 4 == 3, append(byte & 0x0F) else { return false }
        }
        if last >> 4 == 3 { return append(last & 0x0F) }
        guard !isSigned, let (digit, minus) = Self.overpunched(last) else { return false }
        isNegative = minus
        return append(digit)
    }

    private static func overpunched(_ byte: UInt8) -> (digit: UInt8, isNegative: Bool)? {
        switch byte {
        case UInt8(ascii: "{"): (0, false)
        case UInt8(ascii: "A")...UInt8(ascii: "I"): (byte - UInt8(ascii: "A") + 1, false)
        case UInt8(ascii: "}"): (0, true)
        case UInt8(ascii: "J")...UInt8(ascii: "R"): (byte - UInt8(ascii: "J") + 1, true)
        case UInt8(ascii: "p")...UInt8(ascii: "y"): (byte - UInt8(ascii: "p"), true)
        default: nil
        }
    }

    /// Takes the blanks around the number and a sign of its own before or behind it; true when there is one.
    private mutating func takeSeparateSign(
        _ rest: inout Slice<UnsafeRawBufferPointer>, plus: UInt8, minus: UInt8, blank: UInt8
    ) -> Bool {
        Self.trim(&rest, blank)
        if let first = rest.first, first == plus || first == minus {
            rest.removeFirst()
            isNegative = first == minus
        } else if let last = rest.last, last == plus || last == minus {
            rest.removeLast()
            isNegative = last == minus
        } else {
            return false
        }
        Self.trim(&rest, blank)
        return true
    }

    private static func trim(_ rest: inout Slice<UnsafeRawBufferPointer>, _ blank: UInt8) {
        while rest.first == blank { rest.removeFirst() }
        while rest.last == blank { rest.removeLast() }
    }

    // MARK: text

    /// Appends what was read: no zeros before it, no minus before a zero, a point before the last `places` digits.
    func write(places: Int, to text: inout [UInt8]) {
        if isNegative, digits.contains(where: { $0 != 0 }) { text.append(UInt8(ascii: "-")) }
        // With a zero before the point where the digits are decimals only.
        let width = max(places + 1, digits.count - digits.prefix { $0 == 0 }.count)
        for remaining in stride(from: width, to: 0, by: -1) {
            if remaining == places { text.append(UInt8(ascii: ".")) }
            text.append(0x30 + (remaining > digits.count ? 0 : digits[digits.count - remaining]))
        }
    }
}
