package import Inventory

/// A physical line of a file, without its newline.
package struct RawLine: Sendable, Equatable {
    package var offset: Int64
    package var bytes: [UInt8]

    package init(offset: Int64, bytes: [UInt8]) {
        self.offset = offset
        self.bytes = bytes
    }
}

/// A record as its format reads it: text by column, no meaning yet.
package struct Record: Sendable, Equatable {
    package var offset: Int64
    package var bytes: [UInt8]
    package var values: [String]
}

package enum DecodedItem: Sendable, Equatable {
    case record(Record)
    case reject(offset: Int64, bytes: [UInt8], reason: RejectReason)
}

/// Delimited text (RFC 4180, with the delimiters and quotes of legacy systems). A quoted field may span lines.
package struct CSVDecoder: Sendable {
    /// The columns' names once they are known; the decoder's state in a checkpoint.
    package private(set) var columns: [String]?
    private let format: FormatDefinition
    private let text: TextDecoder
    private var pending: RawLine?

    private static let longestRecord = 1 << 20

    /// `columns`: from a checkpoint, when the header was read before.
    package init(format: FormatDefinition, columns: [String]?) throws {
        self.format = format
        text = try TextDecoder(encoding: format.encoding)
        self.columns = columns ?? (format.hasHeader ? nil : format.columns)
    }

    /// The first byte of a record whose quotes are still open; a checkpoint may not stand beyond it.
    package var pendingOffset: Int64? { pending?.offset }

    /// Forgets an unfinished record: it will be read again from its first byte.
    package mutating func dropPending() { pending = nil }

    /// A new file begins: its header is read again.
    package mutating func beginFile() {
        pending = nil
        if format.hasHeader { columns = nil }
    }

    package mutating func decode(_ line: RawLine) -> DecodedItem? {
        if pending != nil, !line.bytes.contains(format.quote) {
            // Still inside the quote: appended in place, or a stray quote would cost the square of what follows it.
            pending?.bytes.append(UInt8(ascii: "\n"))
            pending?.bytes.append(contentsOf: line.bytes)
            return nil
        }
        var whole = line
        if var open = pending {
            open.bytes.append(UInt8(ascii: "\n"))
            open.bytes.append(contentsOf: line.bytes)
            whole = open
            pending = nil
        }
        guard let fields = split(whole.bytes) else { return unfinished(whole) }
        if whole.bytes.isEmpty { return nil }
        return finish(whole, fields)
    }

    private mutating func unfinished(_ whole: RawLine) -> DecodedItem? {
        guard whole.bytes.count <= Self.longestRecord else {
            let head = Array(whole.bytes.prefix(4_096))
            return reject(whole.offset, head, "quote", "a quote is never closed within \(Self.longestRecord) bytes")
        }
        pending = whole
        return nil
    }

    private mutating func finish(_ whole: RawLine, _ fields: [[UInt8]]) -> DecodedItem? {
        var values: [String] = []
        for field in fields {
            guard let value = text.decode(field) else {
                return reject(whole.offset, whole.bytes, "encoding", "bytes that are no \(format.encoding)")
            }
            values.append(value)
        }
        guard let columns else {
            columns = values.map { $0.hasPrefix("\u{FEFF}") ? String($0.dropFirst()) : $0 }
            return nil
        }
        if values == columns { return nil }
        guard values.count == columns.count else {
            return reject(
                whole.offset, whole.bytes, "ragged", "\(values.count) fields where the header names \(columns.count)")
        }
        return .record(Record(offset: whole.offset, bytes: whole.bytes, values: values))
    }

    private func reject(_ offset: Int64, _ bytes: [UInt8], _ code: String, _ message: String) -> DecodedItem {
        .reject(offset: offset, bytes: bytes, reason: RejectReason(code: code, message: message))
    }

    /// Nil while a quote is open.
    private func split(_ bytes: [UInt8]) -> [[UInt8]]? {
        var fields: [[UInt8]] = []
        var field: [UInt8] = []
        var isQuoted = false
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if isQuoted {
                if byte == format.quote {
                    if index + 1 < bytes.count, bytes[index + 1] == format.quote {
                        field.append(byte)
                        index += 1
                    } else {
                        isQuoted = false
                    }
                } else {
                    field.append(byte)
                }
            } else if byte == format.quote, field.isEmpty {
                isQuoted = true
            } else if byte == format.delimiter {
                fields.append(field)
                field = []
            } else {
                field.append(byte)
            }
            index += 1
        }
        if isQuoted { return nil }
        fields.append(field)
        return fields
    }
}
