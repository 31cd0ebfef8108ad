// What a tombstone keeps of the event in whose place it stands, cut out of that event's own bytes. The reader knows
// compact JSON, as the encoder writes it, and no more: whatever else it meets, it finds nothing.

/// Raw JSON values of an encoded event; they point into its payload.
struct SkippedParts {
    var type: UnsafeRawBufferPointer?
    var subject: UnsafeRawBufferPointer?
    var balances: [UnsafeRawBufferPointer] = []

    init() {}

    init(payload: UnsafeRawBufferPointer) {
        let reader = CompactJSON(bytes: payload)
        let event = 0..<payload.count
        type = reader.member("type", of: event).map { reader.slice($0) }
        subject = reader.member("subject", of: event).map { reader.slice($0) }
        if let data = reader.member("data", of: event), let lines = reader.member("balances", of: data) {
            balances = reader.elements(of: lines).map { reader.slice($0) }
        }
    }
}

/// The parts that fit into a tombstone, in the order of their worth: type, subject, then balances from the first on.
struct Tombstone {
    private(set) var type: UnsafeRawBufferPointer?
    private(set) var subject: UnsafeRawBufferPointer?
    private(set) var balances: [UnsafeRawBufferPointer] = []

    /// All that a tombstone holds beside its address, source, reason and these parts.
    static let fixedBytes = 320

    init(_ parts: SkippedParts, room: Int) {
        var room = room
        func take(_ part: UnsafeRawBufferPointer?, times: Int) -> UnsafeRawBufferPointer? {
            guard let part, part.count * times <= room else { return nil }
            room -= part.count * times
            return part
        }
        type = take(parts.type, times: 1)
        subject = take(parts.subject, times: 2)
        // Without its subject a line would not say whose stock it is.
        guard subject != nil else { return }
        for line in parts.balances {
            guard line.count < room else { break }
            room -= line.count + 1
            balances.append(line)
        }
    }
}

private struct CompactJSON {
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
