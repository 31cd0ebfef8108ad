import CLinux
import Glibc

/// Turns the bytes of a line into UTF-8 by a declared encoding; single-byte ones through a table that iconv filled.
package struct TextDecoder: Sendable {
    private enum Kind: Sendable {
        case utf8
        case utf16(isBigEndian: Bool)
        /// The UTF-8 of each byte; no bytes where it has no meaning.
        case table([Letter], isASCIIBelow128: Bool)
    }

    /// A character of one byte: at most three of UTF-8.
    private struct Letter {
        var count = 0
        var bytes: (UInt8, UInt8, UInt8) = (0, 0, 0)

        init(_ utf8: [UInt8]) {
            count = utf8.count
            if count > 0 { bytes.0 = utf8[0] }
            if count > 1 { bytes.1 = utf8[1] }
            if count > 2 { bytes.2 = utf8[2] }
        }

        func write(to text: inout [UInt8]) {
            text.append(bytes.0)
            if count > 1 { text.append(bytes.1) }
            if count > 2 { text.append(bytes.2) }
        }
    }

    private let kind: Kind

    package static let encodings =
        ["utf-8", "utf-16le", "utf-16be", "cp1252", "cp437", "cp850", "cp037", "cp500"]
        + (1...16).filter { $0 != 12 }.map { "iso-8859-\($0)" }

    /// In UTF-8; it is no part of a file's text.
    static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// As a file in this encoding has it; empty where there is none.
    static func byteOrderMark(in encoding: String) -> [UInt8] {
        switch encoding {
        case "utf-8": byteOrderMark
        case "utf-16le": [0xFF, 0xFE]
        case "utf-16be": [0xFE, 0xFF]
        default: []
        }
    }

    static func isEBCDIC(_ encoding: String) -> Bool { encoding == "cp037" || encoding == "cp500" }

    /// Throws for an encoding that is not known.
    package init(encoding: String) throws {
        guard Self.encodings.contains(encoding) else {
            throw IngestError(
                "encoding \"\(encoding)\" is not available in this version",
                hint: "available: \(Self.encodings.joined(separator: ", "))")
        }
        switch encoding {
        case "utf-8": kind = .utf8
        case "utf-16le", "utf-16be": kind = .utf16(isBigEndian: encoding == "utf-16be")
        default:
            var table = try Self.table(encoding)
            // NEL ends EBCDIC's lines as a line feed does others'; within quotes it is one.
            if Self.isEBCDIC(encoding) { table[0x15] = Letter([0x0A]) }
            kind = .table(table, isASCIIBelow128: !Self.isEBCDIC(encoding))
        }
    }

    /// The line in UTF-8, the very same bytes where nothing changes. Nil when bytes have no meaning in the encoding.
    package func convert(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        if line.withUnsafeBytes(keeps) { return line }
        var converted: [UInt8] = []
        converted.reserveCapacity(line.count + 16)
        return line.withUnsafeBytes { append($0, to: &converted) } ? converted[...] : nil
    }

    /// Whether these bytes are their own UTF-8.
    func keeps(_ bytes: UnsafeRawBufferPointer) -> Bool {
        switch kind {
        case .utf8: bytes.isASCII || bytes.isUTF8
        case .utf16: false
        case .table(_, let isASCIIBelow128): isASCIIBelow128 && bytes.isASCII
        }
    }

    /// Appends the bytes in UTF-8; false when some have no meaning in the encoding.
    func append(_ bytes: UnsafeRawBufferPointer, to text: inout [UInt8]) -> Bool {
        if keeps(bytes) {
            text.append(contentsOf: bytes)
            return true
        }
        switch kind {
        case .utf8: return false
        case .utf16(let isBigEndian): return Self.utf16(bytes, isBigEndian: isBigEndian, to: &text)
        case .table(let table, _):
            for byte in bytes {
                let letter = table[Int(byte)]
                guard letter.count > 0 else { return false }
                letter.write(to: &text)
            }
            return true
        }
    }

    private static func utf16(_ bytes: UnsafeRawBufferPointer, isBigEndian: Bool, to text: inout [UInt8]) -> Bool {
        guard bytes.count % 2 == 0 else { return false }
        let units = stride(from: 0, to: bytes.count, by: 2).map { index in
            let (first, second) = (UInt16(bytes[index]), UInt16(bytes[index + 1]))
            return isBigEndian ? first << 8 | second : second << 8 | first
        }
        guard let valid = String(validating: units, as: UTF16.self) else { return false }
        text.append(contentsOf: valid.utf8)
        return true
    }

    private static func table(_ encoding: String) throws -> [Letter] {
        guard let converter = iconv_open("UTF-8", encoding), Int(bitPattern: converter) != -1 else {
            throw IngestError("this system's iconv does not know \"\(encoding)\"", hint: "use another encoding")
        }
        defer { iconv_close(converter) }
        return (0..<256).map { byte in
            var input: [CChar] = [CChar(truncatingIfNeeded: byte)]
            var output = [CChar](repeating: 0, count: 8)
            var left = 1
            var room = 8
            let done = input.withUnsafeMutableBufferPointer { source in
                output.withUnsafeMutableBufferPointer { target in
                    var from = source.baseAddress
                    var into = target.baseAddress
                    return iconv(converter, &from, &left, &into, &room)
                }
            }
            return Letter(done == 0 ? output.prefix(8 - room).map { UInt8(bitPattern: $0) } : [])
        }
    }
}
