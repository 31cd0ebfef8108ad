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

    /// Turns a record's text into UTF-8. False when a byte has no meaning in the encoding.
    package func convert(_ record: inout Record) -> Bool {
        if record.text.withUnsafeBytes(\.isASCII) { return true }
        guard let table else { return record.text.withUnsafeBytes(\.isUTF8) }
        var converted: [UInt8] = []
        converted.reserveCapacity(record.text.count + 16)
        for column in record.fields.indices {
            let start = converted.count
            for byte in record.text[record.fields[column]] {
                guard let text = table[Int(byte)] else { return false }
                converted.append(contentsOf: text)
            }
            record.fields[column] = start..<converted.count
        }
        record.text = converted[...]
        return true
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
