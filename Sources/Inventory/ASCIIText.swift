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
        let out = UnsafeMutableRawPointer(self + offset)
        out.storeBytes(of: Self.hexDigits(of: UInt32(truncatingIfNeeded: word >> 32)), as: UInt64.self)
        out.storeBytes(of: Self.hexDigits(of: UInt32(truncatingIfNeeded: word)), toByteOffset: 8, as: UInt64.self)
    }

    /// All eight at once: each nibble gets a byte of its own, then 0x30, and 0x27 more where it is a letter.
    private static func hexDigits(of half: UInt32) -> UInt64 {
        var nibbles = UInt64(half)
        nibbles = (nibbles << 16 | nibbles) & 0x0000_FFFF_0000_FFFF
        nibbles = (nibbles << 8 | nibbles) & 0x00FF_00FF_00FF_00FF
        nibbles = (nibbles << 4 | nibbles) & 0x0F0F_0F0F_0F0F_0F0F
        let letters = (nibbles + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return (nibbles + 0x3030_3030_3030_3030 + letters * 0x27).bigEndian
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
