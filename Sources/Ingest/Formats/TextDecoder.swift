import CLinux
import Glibc

/// Turns the bytes of a line into UTF-8 by a declared encoding; single-byte ones through a table that iconv filled.
package struct TextDecoder: Sendable {
    private enum Kind: Sendable {
        case utf8
        case utf16(isBigEndian: Bool)
        /// The UTF-8 of each byte, nil where it has no meaning.
        case table([[UInt8]?], isASCIIBelow128: Bool)
    }

    private let kind: Kind

    package static let encodings =
        ["utf-8", "utf-16le", "utf-16be", "cp1252", "cp437", "cp850", "cp037", "cp500"]
        + (1...16).filter { $0 != 12 }.map { "iso-8859-\($0)" }

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
            if Self.isEBCDIC(encoding) { table[0x15] = [0x0A] }
            kind = .table(table, isASCIIBelow128: !Self.isEBCDIC(encoding))
        }
    }

    /// The line in UTF-8, the very same bytes where nothing changes. Nil when bytes have no meaning in the encoding.
    package func convert(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        switch kind {
        case .utf8: return line.withUnsafeBytes { $0.isASCII || $0.isUTF8 } ? line : nil
        case .utf16(let isBigEndian): return Self.utf16(line, isBigEndian: isBigEndian)
        case .table(let table, let isASCIIBelow128):
            if isASCIIBelow128, line.withUnsafeBytes(\.isASCII) { return line }
            var converted: [UInt8] = []
            converted.reserveCapacity(line.count + 16)
            for byte in line {
                guard let text = table[Int(byte)] else { return nil }
                converted.append(contentsOf: text)
            }
            return converted[...]
        }
    }

    private static func utf16(_ line: ArraySlice<UInt8>, isBigEndian: Bool) -> ArraySlice<UInt8>? {
        guard line.count % 2 == 0 else { return nil }
        let units = stride(from: line.startIndex, to: line.endIndex, by: 2).map { index in
            let (first, second) = (UInt16(line[index]), UInt16(line[index + 1]))
            return isBigEndian ? first << 8 | second : second << 8 | first
        }
        return String(validating: units, as: UTF16.self).map { Array($0.utf8)[...] }
    }

    private static func table(_ encoding: String) throws -> [[UInt8]?] {
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
            return done == 0 ? output.prefix(8 - room).map { UInt8(bitPattern: $0) } : nil
        }
    }
}
