/// Finds values in JSON without spaces, as the encoder writes it, and no more: whatever else it meets, it finds nothing.
struct CompactJSON {
    let bytes: UnsafeRawBufferPointer

    func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[range]) }

    /// Where the member's value lies within an object.
    func member(_ name: StaticString, of object: Range<Int>) -> Range<Int>? {
        guard object.count >= 2, bytes[object.lowerBound] == UInt8(ascii: "{") else { return nil }
        var at = object.lowerBound + 1
        while at < object.upperBound, bytes[at] == 0x22, let key = end(ofTextAt: at, within: object),
            key < object.upperBound, bytes[key] == UInt8(ascii: ":"),
            let value = end(ofValueAt: key + 1, within: object)
        {
            let isWanted = name.withUTF8Buffer { bytes[at + 1..<key - 1].elementsEqual($0) }
            if isWanted { return key + 1..<value }
            at = value + 1
        }
        return nil
    }

    /// The bytes between a text's quotes, escapes as they stand.
    func text(_ name: StaticString, of object: Range<Int>) -> UnsafeRawBufferPointer? {
        guard let value = member(name, of: object), value.count >= 2, bytes[value.lowerBound] == 0x22 else {
            return nil
        }
        return slice(value.lowerBound + 1..<value.upperBound - 1)
    }

    func integer(_ name: StaticString, of object: Range<Int>) -> Int64? {
        member(name, of: object).flatMap { Int64(String(decoding: slice($0), as: UTF8.self)) }
    }

    func elements(of array: Range<Int>) -> [Range<Int>] {
        guard array.count >= 2, bytes[array.lowerBound] == UInt8(ascii: "[") else { return [] }
        var found: [Range<Int>] = []
        var at = array.lowerBound + 1
        while at < array.upperBound - 1, let end = end(ofValueAt: at, within: array) {
            found.append(at..<end)
            at = end + 1
        }
        return found
    }

    /// The index after the value; nil where it does not end within the range, or is empty.
    private func end(ofValueAt start: Int, within range: Range<Int>) -> Int? {
        guard start < range.upperBound else { return nil }
        switch bytes[start] {
        case 0x22: return end(ofTextAt: start, within: range)
        case UInt8(ascii: "{"), UInt8(ascii: "["): return end(ofNestAt: start, within: range)
        default:
            let stops = ",:]}".utf8
            let end = bytes[start..<range.upperBound].firstIndex { stops.contains($0) }
            return end.flatMap { $0 > start ? $0 : nil }
        }
    }

    private func end(ofTextAt start: Int, within range: Range<Int>) -> Int? {
        var at = start + 1
        while at < range.upperBound {
            if bytes[at] == 0x22 { return at + 1 }
            at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1
        }
        return nil
    }

    private func end(ofNestAt start: Int, within range: Range<Int>) -> Int? {
        var depth = 0
        var at = start
        while at < range.upperBound {
            switch bytes[at] {
            case 0x22:
                guard let end = end(ofTextAt: at, within: range) else { return nil }
                at = end
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            at += 1
            if depth == 0 { return at }
        }
        return nil
    }
}
