import Inventory

/// Reads records whose type says what they hold.
struct GroupReader: Sendable {
    /// A whole record, or what is wrong with it; `layout` is nil where its type is unknown.
    struct Piece {
        var layout: Int?
        var item: DecodedItem
    }

    private enum Place: Sendable {
        case field(Int)
        case bytes(Range<Int>)
    }

    let framing: Framing
    private let plan: GroupPlan
    private let place: Place
    private let text: TextDecoder
    private var csv: CSVDecoder?
    /// By layout.
    private var fixed: [FixedFields] = []

    /// Throws `IngestError` for a place or columns that cannot be.
    init(_ format: FormatDefinition, _ plan: GroupPlan, typeAt: String) throws {
        self.plan = plan
        text = try TextDecoder(encoding: format.encoding)
        framing = Framing(encoding: format.encoding, length: format.length)
        switch format.kind {
        case .csv:
            guard let number = Int(typeAt), number >= 1, number <= 1_000 else {
                throw IngestError("\"\(typeAt)\" is no column's number", hint: "write it as text, from \"1\"")
            }
            place = .field(number - 1)
            csv = try CSVDecoder(format: format, columns: [])
        case .fixed:
            place = .bytes(try FixedColumn.range(typeAt, of: "record type"))
            let text = text
            fixed = try plan.layouts.map { try FixedFields($0.columns, format: format, text: text) }
        case .jsonl: throw IngestError("jsonl has no record types", hint: "use csv or fixed")
        }
    }

    var pendingOffset: Int64? { csv?.pendingOffset }
    mutating func dropPending() { csv?.dropPending() }

    mutating func read(_ line: RawLine) -> Piece? {
        switch place {
        case .field(let index): separated(line, index)
        case .bytes(let range): positioned(line, range)
        }
    }

    private mutating func separated(_ line: RawLine, _ index: Int) -> Piece? {
        guard let item = csv?.split(line) else { return nil }
        guard case .record(let record) = item else { return Piece(item: item) }
        let whole = RawLine(offset: record.offset, bytes: record.bytes)
        guard index < record.fields.count else {
            return unknown(whole, "\(record.fields.count) fields, and the type is field \(index + 1)")
        }
        guard let layout = plan.layout(of: record.text[record.fields[index]]) else {
            return unknown(whole, "no record type \"\(Self.shown(record.value(index)))\"")
        }
        let wanted = plan.names[layout].count
        guard record.fields.count == wanted else {
            let message =
                "\(record.fields.count) fields where record type \"\(plan.layouts[layout].type)\" has \(wanted)"
            return Piece(layout: layout, item: .reject(whole, "ragged", message))
        }
        return Piece(layout: layout, item: item)
    }

    private mutating func positioned(_ line: RawLine, _ range: Range<Int>) -> Piece? {
        if line.bytes.isEmpty { return nil }
        let bytes = fixed.first?.withoutMark(line) ?? line.bytes
        let field = bytes.dropFirst(range.lowerBound).prefix(range.count)
        guard var type = text.convert(field) else {
            return Piece(item: .reject(line, "encoding", "the record's type holds bytes that have no meaning"))
        }
        while type.last == 0x20 { type.removeLast() }
        guard let layout = plan.layout(of: type) else {
            return unknown(line, "no record type \"\(Self.shown(String(decoding: type, as: UTF8.self)))\"")
        }
        return Piece(layout: layout, item: fixed[layout].decode(line))
    }

    private func unknown(_ line: RawLine, _ message: String) -> Piece {
        Piece(item: .reject(line, "record_type", message))
    }

    private static func shown(_ type: String) -> String { String(type.prefix(40)) }
}
