/// What writes itself as ASCII that JSON need not escape; its text and its JSON come from this one writer.
protocol ASCIIText {
    static var longest: Int { get }

    /// Writes at most `longest` bytes and returns how many.
    func write(to out: UnsafeMutablePointer<UInt8>) -> Int
}

extension ASCIIText {
    var asciiText: String {
        String(unsafeUninitializedCapacity: Self.longest) { buffer in
            buffer.baseAddress.map(write(to:)) ?? 0
        }
    }
}

extension UnsafeMutablePointer<UInt8> {
    /// The last `width` decimal digits, with leading zeros.
    func putDecimal(_ value: UInt64, width: Int, at offset: Int) {
        var rest = value
        for index in stride(from: offset + width - 1, through: offset, by: -1) {
            self[index] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }

    /// 16 lower-case hex digits.
    func putHex(_ word: UInt64, at offset: Int) {
        for index in 0..<16 {
            let nibble = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * index)) & 15
            self[offset + index] = nibble + (nibble < 10 ? 0x30 : 0x57)
        }
    }
}

/// How many decimal digits a number has; 1 for 0.
func decimalWidth(_ value: UInt64) -> Int {
    var width = 1
    var rest = value / 10
    while rest > 0 {
        width += 1
        rest /= 10
    }
    return width
}
