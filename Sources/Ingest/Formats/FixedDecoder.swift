import Inventory

/// Text by position, as hosts write it: lines, or records of a fixed length without line ends.
///
/// Blanks at the end of a line are often cut: a column beyond it is empty, a text that it cuts is what there is of it,
/// and a number that it cuts is a reject. What stands behind all columns is left out.
package struct FixedDecoder: RecordDecoder {
    package let columns: [String]?
    package let framing: Framing
    private var fields: FixedFields

    /// Throws `IngestError` for columns that cannot be read so.
    package init(format: FormatDefinition) throws {
        framing = Framing(encoding: format.encoding, length: format.length)
        fields = try FixedFields(format.columns, format: format, text: TextDecoder(encoding: format.encoding))
        columns = fields.columns.map(\.name)
    }

    package var state: DecoderState { DecoderState() }

    package mutating func decode(_ line: RawLine) -> DecodedItem? {
        line.bytes.isEmpty ? nil : fields.decode(line)
    }
}

/// The columns of one kind of record, and how its bytes become their text.
struct FixedFields: Sendable {
    let columns: [FixedColumn]
    private let text: TextDecoder
    private let isEBCDIC: Bool
    private let mark: [UInt8]
    private let isAllText: Bool
    private var number = FixedNumber()

    init(_ texts: [String], format: FormatDefinition, text: TextDecoder) throws(IngestError) {
        var columns: [FixedColumn] = []
        for text in texts { columns.append(try FixedColumn(text)) }
        self.columns = columns
        self.text = text
        isEBCDIC = TextDecoder.isEBCDIC(format.encoding)
        mark = TextDecoder.byteOrderMark(in: format.encoding)
        isAllText = columns.allSatisfy { $0.kind == .text }
        try Self.check(columns, format)
    }

    private static func check(_ columns: [FixedColumn], _ format: FormatDefinition) throws(IngestError) {
        if columns.isEmpty {
            throw IngestError("fixed has no columns", hint: "give columns = [\"sku 1-12\", …], in bytes from 1")
        }
        for (index, column) in columns.enumerated() {
            let name = "column \"\(column.name)\""
            if columns[..<index].contains(where: { $0.name == column.name }) {
                throw IngestError("\(name) is there twice", hint: "give each a name of its own")
            }
            if let length = format.length, column.bytes.upperBound > length {
                throw IngestError(
                    "\(name) ends at byte \(column.bytes.upperBound) of \(length)", hint: "give length = its true value"
                )
            }
            if column.kind == .packed, format.length == nil {
                throw IngestError(
                    "\(name) is packed, and a packed byte may look like a line end",
                    hint: "give length = the bytes of a record, with its line end where it has one")
            }
            if column.kind != .text, format.encoding.hasPrefix("utf-16") {
                throw IngestError("\(name) is \(column.kind.rawValue) in \(format.encoding)", hint: "read it as text")
            }
        }
    }

    mutating func decode(_ line: RawLine) -> DecodedItem {
        let plain = withoutMark(line)
        var record = Record(offset: line.offset, bytes: line.bytes, text: plain, fields: [])
        record.fields.reserveCapacity(columns.count)
        if isAllText, plain.withUnsafeBytes({ $0.isASCII && text.keeps($0) }) {
            point(into: &record)
            return .record(record)
        }
        if let reason = plain.withUnsafeBytes({ convert($0, into: &record) }) {
            return .reject(offset: line.offset, bytes: line.bytes, reason: reason)
        }
        return .record(record)
    }

    /// From where positions count.
    func withoutMark(_ line: RawLine) -> ArraySlice<UInt8> {
        line.offset == 0 && line.bytes.starts(with: mark) ? line.bytes.dropFirst(mark.count) : line.bytes
    }

    /// The text stays where it is; the record only says where its columns are.
    private func point(into record: inout Record) {
        let base = record.text.startIndex
        record.text.withUnsafeBytes { bytes in
            for column in columns {
                let range = column.bytes.clamped(to: 0..<bytes.count)
                record.fields.append(base + range.lowerBound..<base + Self.end(bytes, range))
            }
        }
    }

    /// Without its padding.
    private static func end(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int {
        var end = range.upperBound
        while end > range.lowerBound, bytes[end - 1] == 0x20 || bytes[end - 1] == 0 { end -= 1 }
        return end
    }

    private mutating func convert(_ bytes: UnsafeRawBufferPointer, into record: inout Record) -> RejectReason? {
        var converted: [UInt8] = []
        converted.reserveCapacity(bytes.count + 2 * columns.count + 16)
        for column in columns {
            let start = converted.count
            let field = UnsafeRawBufferPointer(rebasing: bytes[column.bytes.clamped(to: 0..<bytes.count)])
            if let reason = append(field, column, to: &converted) { return reason }
            record.fields.append(start..<converted.count)
        }
        record.text = converted[...]
        return nil
    }

    private mutating func append(
        _ field: UnsafeRawBufferPointer, _ column: FixedColumn, to converted: inout [UInt8]
    ) -> RejectReason? {
        if column.kind == .text {
            let start = converted.count
            guard text.append(field, to: &converted) else {
                return RejectReason(code: "encoding", message: "\(column.name) holds bytes that have no meaning")
            }
            while converted.count > start, let last = converted.last, last == 0x20 || last == 0 {
                converted.removeLast()
            }
            return nil
        }
        guard field.isEmpty || field.count == column.bytes.count else {
            return RejectReason(
                code: "short",
                message: "\(column.name) has \(field.count) of its \(column.bytes.count) bytes where the record ends")
        }
        switch number.read(field, column.kind, isEBCDIC: isEBCDIC) {
        case .empty: return nil
        case .number: number.write(places: column.places, to: &converted)
        case .malformed:
            let hex = field.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            return RejectReason(
                code: "number", message: "\(column.name) is no \(column.kind.rawValue) number: bytes \(hex)")
        }
        return nil
    }
}
