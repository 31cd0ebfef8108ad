import Foundation
import Ingest
import Inventory
import Testing

/// A text in an encoding, as a legacy system would write it.
private enum Encoded {
    static func bytes(_ text: String, _ encoding: String) -> [UInt8] {
        switch encoding {
        case "utf-16le": Array(text.utf16).flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        case "utf-16be": Array(text.utf16).flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
        case "cp037", "cp500": text.map { ebcdic[$0] ?? 0x6F }
        case "cp437", "cp850": text.map { $0 == "ü" ? 0x81 : $0.asciiValue ?? 0x3F }
        case "utf-8": Array(text.utf8)
        default: text.map { $0 == "ü" ? 0xFC : $0.asciiValue ?? 0x3F }
        }
    }

    /// Letters, digits and marks that both code pages have in the same place; the line end is NEL.
    private static let ebcdic: [Character: UInt8] = {
        var table: [Character: UInt8] = ["\n": 0x15, " ": 0x40, ";": 0x5E, "\"": 0x7F, ",": 0x6B, "ü": 0xDC]
        for (start, letters) in [(0x81, "abcdefghi"), (0x91, "jklmnopqr"), (0xA2, "stuvwxyz")] {
            for (index, letter) in letters.enumerated() {
                table[letter] = UInt8(start + index)
                table[Character(letter.uppercased())] = UInt8(start + index + 0x40)
            }
        }
        for digit in 0...9 { table[Character("\(digit)")] = UInt8(0xF0 + digit) }
        return table
    }()
}

struct EncodingTests {
    private static let encodings = [
        "utf-8", "cp1252", "iso-8859-1", "iso-8859-9", "iso-8859-15", "cp437", "cp850", "utf-16le", "utf-16be", "cp037",
        "cp500",
    ]
    private static let text = "code;item;qty\nRC;Grün;1\nRC;\"a;b\";2\nRC;\"c\"\"d\";3\nRC;\"e\nf\";4\n"

    private func pipeline(_ export: Export, _ encoding: String) throws -> SourcePipeline {
        try export.pipeline { $0.format.encoding = encoding }
    }

    @Test(arguments: encodings)
    func `fed byte by byte, the same records come as from the whole file`(encoding: String) throws {
        let bytes = Encoded.bytes(Self.text, encoding)
        let whole = try Export()
        try whole.append(bytes: bytes)
        let wanted = ["Grün", "a;b", "c\"d", "e\nf"]
        #expect(skus(try whole.drain(try pipeline(whole, encoding))) == wanted)
        let piecewise = try Export()
        let reader = try pipeline(piecewise, encoding)
        var records: [CapturedRecord] = []
        for byte in bytes {
            try piecewise.append(bytes: [byte])
            records += try piecewise.drain(reader)
        }
        #expect(skus(records) == wanted)
        let same = zip(records, try whole.drain(try whole.pipeline(fresh: true) { $0.format.encoding = encoding }))
        #expect(same.allSatisfy { $0.position == $1.position && $0.bytes.elementsEqual($1.bytes) })
    }

    @Test(arguments: encodings)
    func `restarted after every byte, nothing is lost or repeated`(encoding: String) throws {
        let export = try Export()
        var records: [CapturedRecord] = []
        for byte in Encoded.bytes(Self.text, encoding) {
            try export.append(bytes: [byte])
            records += try export.drain(try pipeline(export, encoding))
        }
        #expect(skus(records) == ["Grün", "a;b", "c\"d", "e\nf"])
    }

    @Test func `a byte order mark belongs to no column's name`() throws {
        let export = try Export()
        try export.append("\u{FEFF}code;item;qty\nRC;1;5\n")
        #expect(skus(try export.drain(try export.pipeline())) == ["1"])
        let wide = try Export()
        try wide.append(bytes: Encoded.bytes("\u{FEFF}code;item;qty\nRC;1;5\n", "utf-16le"))
        #expect(skus(try wide.drain(try pipeline(wide, "utf-16le"))) == ["1"])
    }

    @Test(arguments: [("utf-8", [0xC3] as [UInt8]), ("cp1252", [0x81]), ("utf-16le", [0x00, 0xD8])])
    func `bytes without a meaning reject their record and no other`(encoding: String, bytes: [UInt8]) throws {
        let export = try Export()
        try export.append(bytes: Encoded.bytes("code;item;qty\nRC;", encoding) + bytes)
        try export.append(bytes: Encoded.bytes(";5\nRC;2;5\n", encoding))
        #expect(skus(try export.drain(try pipeline(export, encoding))) == ["!encoding", "2"])
    }

    @Test func `an unknown encoding is an error that names those there are`() {
        let error = #expect(throws: IngestError.self) { try TextDecoder(encoding: "klingon") }
        #expect(error?.description.contains("utf-16le") == true)
    }
}
