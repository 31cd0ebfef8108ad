import CLinux
import Glibc

/// Turns the bytes of a line into text by a declared encoding; single-byte ones through a table that iconv filled.
package struct TextDecoder: Sendable {
    private let table: [[UInt8]?]?

    package static let encodings = [
        "utf-8", "cp1252", "iso-8859-1", "iso-8859-2", "iso-8859-15", "cp437", "cp850",
    ]

    /// Throws for an encoding that is not known.
    package init(encoding: String) throws {
        guard Self.encodings.contains(encoding) else {
            throw IngestError(
                "encoding \"\(encoding)\" is not available in this version",
                hint: "available: \(Self.encodings.joined(separator: ", "))")
        }
        table = encoding == "utf-8" ? nil : try Self.table(encoding)
    }

    /// Nil when a byte has no meaning in the encoding.
    package func decode(_ bytes: [UInt8]) -> String? {
        guard let table else { return String(validating: bytes, as: UTF8.self) }
        if bytes.allSatisfy({ $0 < 0x80 }) { return String(decoding: bytes, as: UTF8.self) }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count + 16)
        for byte in bytes {
            guard let text = table[Int(byte)] else { return nil }
            out.append(contentsOf: text)
        }
        return String(decoding: out, as: UTF8.self)
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
