/// Where the pieces of a file end. Lines do by its encoding: at a line feed of one byte, of two (UTF-16), or at one of
/// EBCDIC's two marks. Records of a fixed length, which packed decimals want, end where they are full.
///
/// Lines are cut before anything is converted, so that offsets are those of the file. Bytes begin at a line's start.
package struct Framing: Sendable, Equatable {
    /// Bytes of a code unit.
    let unit: Int
    /// The values of the code unit that end a line.
    private let first: UInt16
    private let second: UInt16?
    private let carriageReturn: UInt16
    private let isBigEndian: Bool

    /// Bytes of each piece; nil: lines.
    let length: Int?

    package init(encoding: String, length: Int? = nil) {
        self.length = length
        unit = encoding.hasPrefix("utf-16") ? 2 : 1
        isBigEndian = encoding == "utf-16be"
        // IBM's NEL and LF; what transfers leave of a record's end is one or the other.
        (first, second) = TextDecoder.isEBCDIC(encoding) ? (0x15, 0x25) : (0x0A, nil)
        carriageReturn = 0x0D
    }

    /// Bytes between a piece and the next one.
    package var separator: Int { length == nil ? unit : 0 }

    /// `end(in:from:)` over bytes that are an array's.
    package func end(of bytes: [UInt8], from start: Int) -> Int? { bytes.withUnsafeBytes { end(in: $0, from: start) } }

    /// The index where the piece that begins at `start` ends; nil when it is not whole.
    func end(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        if let length { return start + length <= bytes.count ? start + length : nil }
        let end = lineEnd(in: bytes, from: start)
        return end < bytes.count ? end : nil
    }

    /// The index of the next line end, or the count when there is none.
    private func lineEnd(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        guard unit == 2 else {
            let end = bytes.index(of: UInt8(first), from: start)
            guard let other = second else { return end }
            return min(end, bytes.index(of: UInt8(other), from: start))
        }
        return stride(from: start, to: bytes.count - 1, by: 2).first { value(bytes, $0) == first } ?? bytes.count
    }

    /// The index after the last line end, or 0.
    func afterLast(in bytes: UnsafeRawBufferPointer) -> Int {
        if let length { return bytes.count - bytes.count % length }
        var at = (bytes.count / unit - 1) * unit
        while at >= 0 {
            let unitValue = value(bytes, at)
            if unitValue == first || unitValue == second { return at + unit }
            at -= unit
        }
        return 0
    }

    /// Without the carriage return that Windows puts before the line feed.
    package func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard length == nil, line.count >= unit else { return line }
        let last = line.withUnsafeBytes { value($0, line.count - unit) }
        return last == carriageReturn ? line.dropLast(unit) : line
    }

    /// What a file system shows where data was not written yet.
    func holdsNUL(_ line: ArraySlice<UInt8>) -> Bool {
        if length != nil { return line.allSatisfy { $0 == 0 } }
        return line.withUnsafeBytes { bytes in
            guard unit == 2 else { return bytes.index(of: 0, from: 0) < bytes.count }
            return stride(from: 0, to: bytes.count - 1, by: 2).contains { value(bytes, $0) == 0 }
        }
    }

    /// What transfers leave behind the last record of a fixed length: a line end, or the mark that DOS ends a file with.
    func isLeftover(_ rest: ArraySlice<UInt8>) -> Bool {
        rest.allSatisfy { [0x0A, 0x0D, 0x15, 0x1A, 0x25].contains($0) }
    }

    /// A line end as the file would have it.
    var bytes: [UInt8] {
        if length != nil { return [] }
        guard unit == 2 else { return [UInt8(first)] }
        return isBigEndian ? [0, UInt8(first)] : [UInt8(first), 0]
    }

    private func value(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> UInt16 {
        guard unit == 2 else { return UInt16(bytes[index]) }
        let (first, second) = (UInt16(bytes[index]), UInt16(bytes[index + 1]))
        return isBigEndian ? first << 8 | second : second << 8 | first
    }
}
