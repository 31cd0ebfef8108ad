// Reads JSON (RFC 8259) in place: a consumer takes tens of thousands of events a second and needs a few members of each.
// Whatever order, spacing or further members a sender chooses is read; what is no JSON throws.

struct JSONCursor {
    struct Malformed: Error {}

    let bytes: UnsafeRawBufferPointer
    private(set) var at: Int

    /// Deeper nesting is refused.
    private static let deepest = 64

    init(_ bytes: UnsafeRawBufferPointer, at: Int = 0) {
        self.bytes = bytes
        self.at = at
    }

    // MARK: structure

    /// Calls `member` at each value of an object with its name's raw bytes; `member` must read or skip the value.
    mutating func object(_ member: (UnsafeRawBufferPointer, inout JSONCursor) throws -> Void) throws {
        try expect(UInt8(ascii: "{"))
        if take(UInt8(ascii: "}")) { return }
        repeat {
            let name = try rawText()
            try expect(UInt8(ascii: ":"))
            try member(slice(name), &self)
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"))
    }

    /// Calls `element` at each value of an array; `element` must read or skip it.
    mutating func array(_ element: (inout JSONCursor) throws -> Void) throws {
        try expect(UInt8(ascii: "["))
        if take(UInt8(ascii: "]")) { return }
        repeat { try element(&self) } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"))
    }

    var isAtArray: Bool { mutating get { peek() == UInt8(ascii: "[") } }

    var isAtEnd: Bool { mutating get { peek() == nil } }

    // MARK: values

    mutating func text() throws -> String {
        let range = try rawText()
        let raw = slice(range)
        return raw.contains(UInt8(ascii: "\\")) ? try Self.unescaped(raw) : String(decoding: raw, as: UTF8.self)
    }

    /// The bytes between the quotes, escapes as they stand.
    mutating func rawText() throws -> Range<Int> {
        try expect(0x22)
        let start = at
        while at < bytes.count {
            switch bytes[at] {
            case 0x22:
                defer { at += 1 }
                return start..<at
            case UInt8(ascii: "\\"): at += 2
            case ..<0x20: throw Malformed()
            default: at += 1
            }
        }
        throw Malformed()
    }

    mutating func rawTextBytes() throws -> UnsafeRawBufferPointer { slice(try rawText()) }

    mutating func integer() throws -> Int64 {
        skipSpace()
        let isNegative = at < bytes.count && bytes[at] == UInt8(ascii: "-")
        if isNegative { at += 1 }
        var value: Int64 = 0
        let start = at
        while at < bytes.count, (0x30...0x39).contains(bytes[at]) {
            let (times, over) = value.multipliedReportingOverflow(by: 10)
            let (sum, tooMuch) = times.addingReportingOverflow(Int64(bytes[at] - 0x30))
            guard !over, !tooMuch else { throw Malformed() }
            value = sum
            at += 1
        }
        guard at > start else { throw Malformed() }
        return isNegative ? -value : value
    }

    /// True, and read, where `null` stands.
    mutating func takeNull() -> Bool {
        guard peek() == UInt8(ascii: "n"), at + 4 <= bytes.count,
            slice(at..<at + 4).elementsEqual("null".utf8)
        else { return false }
        at += 4
        return true
    }

    mutating func skip() throws { try skip(depth: 0) }

    private mutating func skip(depth: Int) throws {
        guard depth < Self.deepest, let first = peek() else { throw Malformed() }
        switch first {
        case 0x22: _ = try rawText()
        case UInt8(ascii: "{"): try object { _, cursor in try cursor.skip(depth: depth + 1) }
        case UInt8(ascii: "["): try array { cursor in try cursor.skip(depth: depth + 1) }
        default: try skipScalar()
        }
    }

    private mutating func skipScalar() throws {
        let start = at
        while at < bytes.count, !Self.ends(bytes[at]) { at += 1 }
        let word = slice(start..<at)
        let isNumber = word.allSatisfy { (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }
        let isWord = ["null", "true", "false"].contains { word.elementsEqual($0.utf8) }
        guard !word.isEmpty, isNumber || isWord else { throw Malformed() }
    }

    private static func ends(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), ...0x20: true
        default: false
        }
    }

    // MARK: bytes

    func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[range]) }

    private mutating func skipSpace() {
        while at < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[at]) { at += 1 }
    }

    private mutating func peek() -> UInt8? {
        if at < bytes.count, bytes[at] > 0x20 { return bytes[at] }
        skipSpace()
        return at < bytes.count ? bytes[at] : nil
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        at += 1
        return true
    }

    private mutating func expect(_ byte: UInt8) throws {
        guard take(byte) else { throw Malformed() }
    }

    private static func unescaped(_ raw: UnsafeRawBufferPointer) throws -> String {
        var units: [UInt16] = []
        var text = ""
        var rest = raw[...]
        func flush() {
            text += String(decoding: units, as: UTF16.self)
            units = []
        }
        while let byte = rest.first {
            guard byte == UInt8(ascii: "\\") else {
                flush()
                let plain = rest.prefix { $0 != UInt8(ascii: "\\") }
                text += String(decoding: plain, as: UTF8.self)
                rest = rest.dropFirst(plain.count)
                continue
            }
            guard let mark = rest.dropFirst().first else { throw Malformed() }
            rest = rest.dropFirst(2)
            switch mark {
            case UInt8(ascii: "n"): units.append(0x0A)
            case UInt8(ascii: "r"): units.append(0x0D)
            case UInt8(ascii: "t"): units.append(0x09)
            case UInt8(ascii: "b"): units.append(0x08)
            case UInt8(ascii: "f"): units.append(0x0C)
            case 0x22, UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(UInt16(mark))
            case UInt8(ascii: "u"):
                let digits = String(decoding: rest.prefix(4), as: UTF8.self)
                guard digits.utf8.count == 4, let unit = UInt16(digits, radix: 16) else { throw Malformed() }
                units.append(unit)
                rest = rest.dropFirst(4)
            default: throw Malformed()
            }
        }
        flush()
        return text
    }
}

extension UnsafeRawBufferPointer {
    /// Whether these are the text's bytes.
    func equals(_ text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && text.withUTF8Buffer { elementsEqual($0) }
    }
}
