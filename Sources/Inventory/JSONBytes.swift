// Writes JSON into one raw buffer that is kept from event to event: no allocation per member. The output is
// deterministic, and it is valid UTF-8, since text comes only from `String` and from ASCII writers.

struct JSONBytes: ~Copyable {
    private var base: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private(set) var count = 0
    private var needsComma = false

    private static let usualCapacity = 4_096
    /// A giant event does not keep its buffer for ever.
    private static let keptCapacity = 262_144

    init() {
        capacity = Self.usualCapacity
        base = .allocate(capacity: capacity)
    }

    deinit { base.deallocate() }

    /// Valid until the next write.
    var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    mutating func clear() {
        count = 0
        needsComma = false
        if capacity > Self.keptCapacity { resize(to: Self.usualCapacity) }
    }

    // MARK: structure

    mutating func open(_ bracket: UInt8) {
        reserve(2)
        separate()
        put(bracket)
        needsComma = false
    }

    mutating func close(_ bracket: UInt8) {
        reserve(1)
        put(bracket)
        needsComma = true
    }

    mutating func key(_ name: StaticString) {
        reserve(name.utf8CodeUnitCount + 4)
        separate()
        put(0x22)
        put(name)
        put(0x22)
        put(0x3A)
        needsComma = false
    }

    mutating func object(_ name: StaticString, _ members: (inout JSONBytes) -> Void) {
        key(name)
        open(UInt8(ascii: "{"))
        members(&self)
        close(UInt8(ascii: "}"))
    }

    // MARK: members

    /// Left out where there is no value or an empty one.
    mutating func member(_ name: StaticString, _ value: String?) {
        guard let value, !value.isEmpty else { return }
        key(name)
        string(value)
    }

    mutating func member(_ name: StaticString, _ value: (some ASCIIText)?) {
        guard let value else { return }
        key(name)
        ascii(value)
    }

    /// `null` where the value is unknown.
    mutating func nullable(_ name: StaticString, _ value: Quantity?) {
        key(name)
        if let value { ascii(value) } else { null() }
    }

    mutating func member(_ name: StaticString, number: Int64) {
        key(name)
        reserve(21)
        if number < 0 { put(UInt8(ascii: "-")) }
        let width = decimalWidth(number.magnitude)
        (base + count).putDecimal(number.magnitude, width: width, at: 0)
        count += width
        needsComma = true
    }

    /// A decimal number as text, with leading zeros.
    mutating func member(_ name: StaticString, padded number: Int64, width: Int) {
        key(name)
        reserve(width + 2)
        put(0x22)
        (base + count).putDecimal(number.magnitude, width: width, at: 0)
        count += width
        put(0x22)
        needsComma = true
    }

    // MARK: values

    mutating func null() {
        reserve(5)
        separate()
        put("null")
        needsComma = true
    }

    /// Bytes that are one JSON value already.
    mutating func value(_ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count + 1)
        separate()
        copy(bytes)
        needsComma = true
    }

    mutating func ascii(_ value: some ASCIIText) {
        reserve(type(of: value).longest + 3)
        separate()
        put(0x22)
        count += value.write(to: base + count)
        put(0x22)
        needsComma = true
    }

    mutating func string(_ text: String) { string(text, text: nil) }

    /// One string of two parts.
    mutating func string(_ first: String, text second: String?) {
        reserve(2)
        separate()
        put(0x22)
        append(first)
        if let second { append(second) }
        reserve(1)
        put(0x22)
        needsComma = true
    }

    private mutating func append(_ text: String) {
        if text.utf8.withContiguousStorageIfAvailable({ escape($0) }) != nil { return }
        var text = text
        text.withUTF8 { escape($0) }
    }

    /// RFC 8259: quotation mark, reverse solidus and U+0000 to U+001F are escaped, all else stands for itself.
    private mutating func escape(_ text: UnsafeBufferPointer<UInt8>) {
        reserve(text.count * 6)
        var clean = 0
        while clean < text.count, text[clean] >= 0x20, text[clean] != 0x22, text[clean] != 0x5C { clean += 1 }
        copy(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(text)[..<clean]))
        for byte in text[clean...] {
            if byte >= 0x20, byte != 0x22, byte != 0x5C { put(byte) } else { putEscaped(byte) }
        }
    }

    private mutating func putEscaped(_ byte: UInt8) {
        put(UInt8(ascii: "\\"))
        switch byte {
        case 0x22, 0x5C: put(byte)
        case 0x0A: put(UInt8(ascii: "n"))
        case 0x0D: put(UInt8(ascii: "r"))
        case 0x09: put(UInt8(ascii: "t"))
        default:
            put("u00")
            put(byte < 0x10 ? 0x30 : 0x31)
            let nibble = byte & 15
            put(nibble + (nibble < 10 ? 0x30 : 0x57))
        }
    }

    // MARK: the buffer; whoever puts has reserved

    @inline(__always)
    private mutating func separate() {
        if needsComma { put(UInt8(ascii: ",")) }
    }

    @inline(__always)
    private mutating func put(_ byte: UInt8) {
        base[count] = byte
        count += 1
    }

    private mutating func put(_ text: StaticString) {
        copy(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    private mutating func copy(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        UnsafeMutableRawPointer(base + count).copyMemory(from: start, byteCount: bytes.count)
        count += bytes.count
    }

    @inline(__always)
    private mutating func reserve(_ more: Int) {
        if count + more > capacity { resize(to: max(capacity * 2, count + more)) }
    }

    private mutating func resize(to size: Int) {
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
        larger.update(from: base, count: count)
        base.deallocate()
        base = larger
        capacity = size
    }
}

/// A text as the encoder writes it, with its quotation marks.
package func jsonText(_ text: String) -> String {
    var json = JSONBytes()
    json.string(text)
    return String(decoding: json.written, as: UTF8.self)
}
