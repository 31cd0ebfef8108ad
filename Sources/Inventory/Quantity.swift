/// Why an amount or a movement is refused; it becomes a reject's reason.
package struct InventoryError: Error, Sendable, Equatable, CustomStringConvertible {
    package let code: String
    package let message: String

    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}

/// A decimal with at most 12 integer and 6 fraction digits, held as millionths; never floating point.
package struct Quantity: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Less than 10^18 either way.
    package let millionths: Int64

    package static let zero = Quantity(unchecked: 0)
    private static let bound: Int64 = 1_000_000_000_000_000_000

    init(unchecked millionths: Int64) { self.millionths = millionths }

    package init(millionths: Int64) throws(InventoryError) {
        guard millionths > -Self.bound, millionths < Self.bound else { throw Self.overflow("\(millionths) millionths") }
        self.millionths = millionths
    }

    /// Reads `-12.5`, `7`, `+0.000001`; nothing else around it, no exponent.
    package init(_ text: String) throws(InventoryError) {
        switch Self.read(text.utf8) {
        case .millionths(let value): millionths = value
        case .malformed: throw Self.malformed(text)
        case .tooFine: throw Self.tooFine(text)
        case .tooLarge: throw Self.overflow(text)
        }
    }

    /// Reads the same from bytes; nil for what is no quantity.
    package init?(bytes: UnsafeRawBufferPointer) {
        guard case .millionths(let value) = Self.read(bytes) else { return nil }
        millionths = value
    }

    private enum Reading {
        case millionths(Int64)
        case malformed, tooFine, tooLarge
    }

    @inline(__always)
    private static func read(_ text: some Collection<UInt8>) -> Reading {
        var value: Int64 = 0
        var fractionDigits = -1
        var digits = 0
        var integerDigits = 0
        let first = text.first
        let isNegative = first == UInt8(ascii: "-")
        for byte in text.dropFirst(isNegative || first == UInt8(ascii: "+") ? 1 : 0) {
            if byte == UInt8(ascii: "."), fractionDigits < 0 {
                fractionDigits = 0
                continue
            }
            guard (0x30...0x39).contains(byte) else { return .malformed }
            digits += 1
            if fractionDigits >= 0 { fractionDigits += 1 } else if value > 0 || byte > 0x30 { integerDigits += 1 }
            if fractionDigits > 6 {
                guard byte == 0x30 else { return .tooFine }
                continue
            }
            guard integerDigits <= 12 else { return .tooLarge }
            value = value * 10 + Int64(byte - 0x30)
        }
        guard digits > 0, fractionDigits != 0 else { return .malformed }
        for _ in min(6, max(0, fractionDigits))..<6 { value *= 10 }
        return .millionths(isNegative ? -value : value)
    }

    private static func malformed(_ text: String) -> InventoryError {
        InventoryError(code: "quantity", message: "\"\(text)\" is no decimal number")
    }

    private static func tooFine(_ text: String) -> InventoryError {
        InventoryError(code: "quantity", message: "\(text) has more than 6 decimal places")
    }

    private static func overflow(_ text: String) -> InventoryError {
        InventoryError(code: "overflow", message: "\(text) is beyond 12 integer digits")
    }

    package var isNegative: Bool { millionths < 0 }
    package var negated: Quantity { Quantity(unchecked: -millionths) }

    package func adding(_ other: Quantity) throws(InventoryError) -> Quantity {
        try Quantity(millionths: millionths + other.millionths)
    }

    package func subtracting(_ other: Quantity) throws(InventoryError) -> Quantity { try adding(other.negated) }

    /// The product, exact; throws when it needs more than 6 places or overflows.
    package func multiplied(by other: Quantity) throws(InventoryError) -> Quantity {
        let magnitude = Int128(millionths) * Int128(other.millionths)
        guard magnitude % 1_000_000 == 0 else {
            throw InventoryError(code: "quantity", message: "\(self) × \(other) needs more than 6 decimal places")
        }
        guard let scaled = Int64(exactly: magnitude / 1_000_000) else { throw Self.overflow("\(self) × \(other)") }
        return try Quantity(millionths: scaled)
    }

    /// The shortest exact text: no exponent, no zeros at the end, no `-0`.
    package var description: String { asciiText }

    /// `description` as bytes, valid within `body` only.
    package func withText<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.longest) { buffer in
            let count = buffer.baseAddress.map(write(to:)) ?? 0
            return body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
        }
    }

    package static func < (a: Quantity, b: Quantity) -> Bool { a.millionths < b.millionths }
}

extension Quantity: ASCIIText {
    static var longest: Int { 21 }

    func write(to out: UnsafeMutablePointer<UInt8>) -> Int {
        let (integer, fraction) = millionths.magnitude.quotientAndRemainder(dividingBy: 1_000_000)
        var count = 0
        if millionths < 0 {
            out[0] = UInt8(ascii: "-")
            count = 1
        }
        let width = decimalWidth(integer)
        out.putDecimal(integer, width: width, at: count)
        count += width
        guard fraction > 0 else { return count }
        out[count] = UInt8(ascii: ".")
        out.putDecimal(fraction, width: 6, at: count + 1)
        count += 7
        while out[count - 1] == UInt8(ascii: "0") { count -= 1 }
        return count
    }
}
