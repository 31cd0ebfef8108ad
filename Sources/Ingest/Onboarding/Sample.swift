import Glibc

/// The beginning of a file, expanded where it is packed, for looking at.
package struct Sample: Sendable {
    let bytes: [UInt8]
    /// All of the file is in it.
    let isWhole: Bool

    private static let most = 1 << 20
    static let mostLines = 5_000

    package init(path: String) throws(IngestError) {
        guard let file = TailFile(path: path) else {
            throw IngestError(
                "\(path): \(String(cString: strerror(errno)))", hint: "name a file that this user may read")
        }
        do throws(ArchiveError) { self.init(try Archive.head(of: file, most: Self.most)) } catch {
            throw IngestError("\(path) \(error)", hint: "give one file, plain, or packed with gzip or zip")
        }
    }

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        isWhole = bytes.count < Self.most
    }

    /// The first pieces that are whole, without their ends.
    func pieces(_ framing: Framing) -> [RawLine] {
        var pieces: [RawLine] = []
        var start = 0
        while start < bytes.count, pieces.count < Self.mostLines {
            let found = bytes.withUnsafeBytes { framing.end(in: $0, from: start) }
            guard let end = found ?? (isWhole && framing.length == nil ? bytes.count : nil) else { break }
            pieces.append(RawLine(offset: Int64(start), bytes: framing.trimmed(bytes[start..<end])))
            start = end + framing.separator
        }
        return pieces
    }
}

/// How a file's characters are written, by its bytes alone.
enum EncodingGuess {
    struct Found: Equatable {
        var encoding: String
        var why: String
    }

    /// Nil for what is no text.
    static func found(in bytes: [UInt8]) -> Found? {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { return Found(encoding: "utf-8", why: "sure: by its mark (BOM)") }
        if bytes.starts(with: [0xFF, 0xFE]) { return Found(encoding: "utf-16le", why: "sure: by its mark (BOM)") }
        if bytes.starts(with: [0xFE, 0xFF]) { return Found(encoding: "utf-16be", why: "sure: by its mark (BOM)") }
        var counts = [Int](repeating: 0, count: 256)
        var oddZeros = 0
        for (index, byte) in bytes.enumerated() {
            counts[Int(byte)] += 1
            if byte == 0, index % 2 == 1 { oddZeros += 1 }
        }
        if counts[0] * 5 > bytes.count * 2, counts[0] * 5 < bytes.count * 3 {
            if oddZeros * 10 > counts[0] * 9 {
                return Found(encoding: "utf-16le", why: "likely: each second byte is 0")
            }
            if oddZeros * 10 < counts[0] { return Found(encoding: "utf-16be", why: "likely: each second byte is 0") }
        }
        return ascii(bytes, counts) ?? ebcdic(bytes, counts)
    }

    private static func ascii(_ bytes: [UInt8], _ counts: [Int]) -> Found? {
        let controls = counts[..<32].reduce(0, +) - [9, 10, 12, 13, 26].reduce(0) { $0 + counts[$1] }
        let high = counts[128...].reduce(0, +)
        guard controls * 500 <= bytes.count, high * 5 < bytes.count * 2 else { return nil }
        if high == 0 { return Found(encoding: "utf-8", why: "no letter beyond ASCII was seen, so it may be another") }
        // The sample may end within a character.
        if (0...3).contains(where: { cut in bytes.dropLast(cut).withUnsafeBytes(\.isUTF8) }) {
            return Found(encoding: "utf-8", why: "sure: letters beyond ASCII are valid UTF-8")
        }
        // ü, ä, Ä, ö, Ö, Ü of DOS beside a letter; in Windows they would be quotes and undefined.
        let dos = bytes.indices.dropFirst().dropLast().count { index in
            [0x81, 0x84, 0x8E, 0x94, 0x99, 0x9A].contains(bytes[index]) && isLetter(bytes[index + 1])
        }
        if dos * 2 > high { return Found(encoding: "cp850", why: "likely: umlauts where DOS has them") }
        return Found(encoding: "cp1252", why: "likely: letters beyond ASCII that are no UTF-8")
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }

    /// Blanks are 0x40 and digits 0xF0 to 0xF9; with packed decimals only part of it is text.
    private static func ebcdic(_ bytes: [UInt8], _ counts: [Int]) -> Found? {
        let ranges = [0xF0...0xF9, 0xC1...0xC9, 0xD1...0xD9, 0xE2...0xE9, 0x81...0x89, 0x91...0x99, 0xA2...0xA9]
        let text = counts[0x40] + ranges.reduce(0) { $0 + counts[$1].reduce(0, +) }
        guard text * 10 > bytes.count * 6, counts[0xF0...0xF9].reduce(0, +) * 50 > bytes.count else { return nil }
        // They differ in a few signs: a separating bar is 0x4F in one and 0xBB in the other.
        if counts[0xBB] > counts[0x4F] {
            return Found(encoding: "cp500", why: "likely: EBCDIC; [ ] ! | ^ tell it from cp037")
        }
        return Found(encoding: "cp037", why: "likely: EBCDIC; cp500 differs in [ ] ! | ^ only")
    }
}
