import Inventory

/// Delimited text (RFC 4180, with the delimiters and quotes of legacy systems). A quoted field may span lines.
package struct CSVDecoder: RecordDecoder {
    /// The columns' names once they are known; the decoder's state in a checkpoint.
    package private(set) var columns: [String]?
    private let format: FormatDefinition
    private let text: TextDecoder
    package let framing: Framing
    private var pending: RawLine?

    private static let longestRecord = 1 << 20

    /// `columns`: from a checkpoint, when the header was read before.
    package init(format: FormatDefinition, columns: [String]?) throws {
        self.format = format
        text = try TextDecoder(encoding: format.encoding)
        framing = Framing(encoding: format.encoding)
        self.columns = columns ?? (format.hasHeader ? nil : format.columns)
    }

    package var state: DecoderState { DecoderState(columns: columns) }

    /// The first byte of a record whose quotes are still open; a checkpoint may not stand beyond it.
    package var pendingOffset: Int64? { pending?.offset }

    /// Forgets an unfinished record: it will be read again from its first byte.
    package mutating func dropPending() { pending = nil }

    package mutating func decode(_ line: RawLine) -> DecodedItem? {
        let item = split(line)
        guard case .record(let record)? = item else { return item }
        return finish(record)
    }

    /// The fields of a record, however many and whatever they are called.
    mutating func split(_ line: RawLine) -> DecodedItem? {
        var whole = line
        if var open = pending {
            pending = nil
            open.bytes.append(contentsOf: framing.bytes)
            open.bytes.append(contentsOf: line.bytes)
            if !mayHoldQuote(line.bytes) {
                // Still inside the quote: appended in place, or a stray quote would cost the square of what follows it.
                pending = open
                return nil
            }
            whole = open
        }
        guard var plain = text.convert(whole.bytes) else {
            return reject(whole.offset, whole.bytes, "encoding", "bytes that are no \(format.encoding)")
        }
        if whole.offset == 0, plain.starts(with: TextDecoder.byteOrderMark) { plain = plain.dropFirst(3) }
        var record = Record(offset: whole.offset, bytes: whole.bytes, text: plain, fields: [])
        guard separate(&record) else { return unfinished(whole) }
        return whole.bytes.isEmpty ? nil : .record(record)
    }

    /// Cheap, and sure where it says no: a quote is ASCII, which no other encoding than EBCDIC writes with other bytes.
    private func mayHoldQuote(_ bytes: ArraySlice<UInt8>) -> Bool {
        TextDecoder.isEBCDIC(format.encoding) || bytes.contains(format.quote)
    }

    private mutating func unfinished(_ whole: RawLine) -> DecodedItem? {
        guard whole.bytes.count <= Self.longestRecord else {
            return reject(
                whole.offset, whole.bytes.prefix(4_096), "quote",
                "a quote is never closed within \(Self.longestRecord) bytes")
        }
        pending = whole
        return nil
    }

    private mutating func finish(_ record: Record) -> DecodedItem? {
        guard let columns else {
            columns = record.values
            return nil
        }
        guard record.fields.count == columns.count else {
            return reject(
                record.offset, record.bytes, "ragged",
                "\(record.fields.count) fields where the header names \(columns.count)")
        }
        return repeatsHeader(record, columns) ? nil : .record(record)
    }

    private func repeatsHeader(_ record: Record, _ columns: [String]) -> Bool {
        guard format.hasHeader else { return false }
        return columns.indices.allSatisfy { record.text[record.fields[$0]].elementsEqual(columns[$0].utf8) }
    }

    private func reject(_ offset: Int64, _ bytes: ArraySlice<UInt8>, _ code: String, _ message: String) -> DecodedItem {
        .reject(offset: offset, bytes: bytes, reason: RejectReason(code: code, message: message))
    }

    // MARK: fields

    /// False while a quote is open.
    private func separate(_ record: inout Record) -> Bool {
        record.fields.reserveCapacity(columns?.count ?? 16)
        if record.text.withUnsafeBytes({ $0.index(of: format.quote, from: 0) < $0.count }) { return unquote(&record) }
        let delimiter = format.delimiter
        let base = record.text.startIndex
        record.text.withUnsafeBytes { bytes in
            var start = 0
            while start <= bytes.count {
                let end = bytes.index(of: delimiter, from: start)
                record.fields.append(base + start..<base + end)
                start = end + 1
            }
        }
        return true
    }

    /// The values without their quotes, one after another.
    private func unquote(_ record: inout Record) -> Bool {
        let bytes = record.text
        var plain: [UInt8] = []
        plain.reserveCapacity(bytes.count)
        var start = 0
        var isQuoted = false
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            index += 1
            if isQuoted {
                if byte != format.quote {
                    plain.append(byte)
                } else if index < bytes.endIndex, bytes[index] == format.quote {
                    plain.append(byte)
                    index += 1
                } else {
                    isQuoted = false
                }
            } else if byte == format.quote, plain.count == start {
                isQuoted = true
            } else if byte == format.delimiter {
                record.fields.append(start..<plain.count)
                start = plain.count
            } else {
                plain.append(byte)
            }
        }
        record.fields.append(start..<plain.count)
        record.text = plain[...]
        return !isQuoted
    }
}
