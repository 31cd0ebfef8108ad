// Columns by position. Where all lines have a blank, a column ends; a date of eight digits is one by itself. Lines that
// begin with few codes and differ in length or form have record types.

enum FixedTable {
    private static let mostColumns = 60

    static func read(_ sample: Sample, _ lines: SampleLines, _ format: FormatDefinition) throws -> TableSketch? {
        let isEBCDIC = TextDecoder.isEBCDIC(format.encoding)
        let lengths = Set(lines.raw.map(\.bytes.count))
        if isEBCDIC, !areLines(lines.raw.map(\.bytes.count)), let length = RecordLength.found(in: sample) {
            return try records(of: length, sample, format)
        }
        guard lines.texts.count > 1, lengths.count <= max(8, lines.raw.count / 2) else { return nil }
        // Positions are bytes of the file: the same as letters in all encodings but these.
        if format.encoding.hasPrefix("utf-16") { return nil }
        var table = TableSketch(format: format, names: [], rows: [])
        table.format.kind = .fixed
        if let types = RecordTypes.found(in: lines.texts) { return grouped(table, types) }
        let columns = FixedColumns.found(in: lines.texts)
        guard columns.count > 1 else { return nil }
        fill(&table, FixedColumns.widened(columns, in: lines.texts), lines.texts)
        let length = lengths.count == 1 ? "all lines have \(lines.raw[0].bytes.count) bytes" : "by columns of blanks"
        table.notes = ["format fixed, a guess: \(length)", "TODO: compare the columns' places with the description"]
        return table
    }

    /// Packed bytes look like line ends now and then; true ones stand apart alike.
    private static func areLines(_ lengths: [Int]) -> Bool {
        let counts = Dictionary(lengths.map { ($0, 1) }, uniquingKeysWith: +)
        return lengths.count > 1 && (counts.values.max() ?? 0) * 2 > lengths.count
    }

    private static func records(of length: Int, _ sample: Sample, _ format: FormatDefinition) throws -> TableSketch? {
        let pieces = sample.pieces(Framing(encoding: format.encoding, length: length))
        guard pieces.count > 1 else { return nil }
        let decoder = try TextDecoder(encoding: format.encoding)
        let rows = pieces.map { piece in
            piece.bytes.map { byte in decoder.convert([byte]).map { String(decoding: $0, as: UTF8.self) } ?? "\u{FFFD}"
            }
        }
        let packed = PackedFields.found(in: pieces.map { Array($0.bytes) })
        // What is no text is a column of its own.
        let texts = rows.map { row in
            row.enumerated().map { index, text in packed.contains { $0.contains(index) } ? " " : text }.joined()
        }
        var columns = FixedColumns.found(in: texts) + packed
        columns.sort { $0.lowerBound < $1.lowerBound }
        columns = FixedColumns.widened(columns, in: texts, except: packed)
        var table = TableSketch(format: format, names: [], rows: [])
        table.format.kind = .fixed
        table.format.length = length
        fill(&table, columns, texts, packed: packed)
        table.notes = [
            "format fixed, a guess: records of \(length) bytes without line ends",
            "TODO: compare the columns' places with the description",
        ]
        if !packed.isEmpty { table.notes.append("TODO: packed columns need their decimal places: packed 2") }
        return table
    }

    private static func fill(
        _ table: inout TableSketch, _ columns: [Range<Int>], _ texts: [String], packed: [Range<Int>] = []
    ) {
        table.names = columns.indices.map { "c\($0 + 1)" }
        table.format.columns = zip(table.names, columns).map { name, range in
            "\(name) \(range.lowerBound + 1)-\(range.upperBound)\(packed.contains(range) ? " packed 0" : "")"
        }
        table.packed = Set(columns.indices.filter { packed.contains(columns[$0]) })
        table.rows = values(columns, texts)
    }

    private static func values(_ columns: [Range<Int>], _ texts: [String]) -> [[String]] {
        texts.map { text in
            let letters = Array(text)
            return columns.map { ColumnSketch.trimmed(String(letters[$0.clamped(to: 0..<letters.count)])) }
        }
    }

    private static func grouped(_ empty: TableSketch, _ types: RecordTypes) -> TableSketch {
        var table = empty
        table.format.recordType = types.width == 1 ? "1" : "1-\(types.width)"
        let details = types.groups.first { $0.role == .detail }?.lines ?? []
        for group in types.groups {
            var columns = FixedColumns.found(in: group.lines, after: types.width)
            columns = FixedColumns.widened(columns, in: group.lines)
            if columns.count > mostColumns { columns = Array(columns.prefix(mostColumns)) }
            let mark = group.role == .detail ? "c" : group.type.lowercased() + "_"
            let names = columns.indices.map { "\(mark)\($0 + 1)" }
            var layout = RecordLayout(
                type: group.type, role: group.role,
                columns: zip(names, columns).map { "\($0) \($1.lowerBound + 1)-\($1.upperBound)" })
            if group.role == .trailer, let only = values(columns, group.lines).first {
                let count = only.firstIndex { Int($0) == details.count }
                if let count, group.lines.count == 1 { layout.counts[names[count]] = "*" }
            }
            table.format.layouts.append(layout)
            if group.role == .detail {
                table.names = names
                table.rows = values(columns, group.lines)
            }
        }
        let words = types.groups.map { "\($0.type) \($0.lines.count)" }.joined(separator: ", ")
        table.notes = [
            "format fixed, a guess: lines begin with a record type (\(words))",
            "TODO: compare the columns' places and the types' roles with the description",
        ]
        return table
    }
}

/// The type that each line begins with.
struct RecordTypes {
    struct Group {
        var type: String
        var role = RecordLayout.Role.detail
        var lines: [String]
    }

    var width: Int
    /// In the order of their first lines.
    var groups: [Group]

    /// Nil when the lines are all alike.
    static func found(in texts: [String]) -> RecordTypes? {
        [3, 2, 1, 4].lazy.compactMap { found(in: texts, width: $0) }.first
    }

    private static func found(in texts: [String], width: Int) -> RecordTypes? {
        var groups: [Group] = []
        for text in texts {
            let type = String(text.prefix(width))
            guard type.utf8.count == width, type.utf8.allSatisfy({ isPlain($0) }) else { return nil }
            if let index = groups.firstIndex(where: { $0.type == type }) {
                groups[index].lines.append(text)
            } else {
                guard groups.count < 6 else { return nil }
                groups.append(Group(type: type, lines: [text]))
            }
        }
        guard groups.count > 1, let most = groups.map(\.lines.count).max(), most > 1 else { return nil }
        guard let detail = groups.firstIndex(where: { $0.lines.count == most }) else { return nil }
        let forms = groups.map(form)
        guard groups.indices.allSatisfy({ $0 == detail || differ(forms[$0], forms[detail]) }) else { return nil }
        for index in groups.indices where index != detail { groups[index].role = index < detail ? .header : .trailer }
        return RecordTypes(width: width, groups: groups)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
    }

    /// What stands at each place: blank, digit, something else, or now this and now that.
    private static func form(_ group: Group) -> [UInt8] {
        var form: [UInt8] = []
        for line in group.lines.prefix(200) {
            for (index, byte) in line.utf8.enumerated() {
                let kind: UInt8 = byte == 0x20 ? 1 : (0x30...0x39).contains(byte) ? 2 : 4
                if index < form.count { form[index] |= kind } else { form.append(kind) }
            }
        }
        return form
    }

    /// A fifth of the places have nothing in common, or the length is another.
    private static func differ(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        if a.count != b.count { return true }
        return zip(a, b).count { $0 & $1 == 0 } * 5 > b.count
    }
}

enum FixedColumns {
    /// Where columns lie, from 0, in lines of one kind.
    static func found(in texts: [String], after start: Int = 0) -> [Range<Int>] {
        let lines = texts.map { Array($0) }
        let width = lines.map(\.count).max() ?? 0
        var blank = [Bool](repeating: true, count: width)
        var digits = [Bool](repeating: true, count: width)
        for line in lines {
            for (index, letter) in line.enumerated() {
                if letter != " " { blank[index] = false }
                if letter != " ", !("0"..."9").contains(letter) { digits[index] = false }
            }
        }
        var columns: [Range<Int>] = []
        var at = start
        while at < width {
            if blank[at] {
                at += 1
                continue
            }
            let end = (at..<width).first { blank[$0] } ?? width
            columns += split(at..<end, lines, digits)
            at = end
        }
        return columns
    }

    /// What is blank between two columns belongs to the second one where that is a number set to the right, else to the
    /// first one: other records have longer values.
    static func widened(_ found: [Range<Int>], in texts: [String], except packed: [Range<Int>] = []) -> [Range<Int>] {
        let lines = texts.map { Array($0) }
        var columns = found
        for index in columns.indices.dropLast() {
            let (left, right) = (columns[index], columns[index + 1])
            if isSetRight(right, lines), !packed.contains(right) {
                columns[index + 1] = min(left.upperBound + 1, right.lowerBound)..<right.upperBound
            } else if !packed.contains(left) {
                columns[index] = left.lowerBound..<max(left.upperBound, right.lowerBound - 1)
            }
        }
        return columns
    }

    private static func isSetRight(_ range: Range<Int>, _ lines: [[Character]]) -> Bool {
        let values = lines.map { $0[range.clamped(to: 0..<$0.count)] }
        return values.contains { $0.first == " " && $0.last != " " }
            && values.allSatisfy { $0.allSatisfy { $0 == " " || ("0"..."9").contains($0) || "+-.,".contains($0) } }
    }

    /// A date within digits, and digits beside letters, are columns by themselves.
    private static func split(_ range: Range<Int>, _ lines: [[Character]], _ digits: [Bool]) -> [Range<Int>] {
        guard range.count > 8 else { return [range] }
        let date = range.first { start in
            start + 8 <= range.upperBound && digits[start..<start + 8].allSatisfy(\.self) && isDate(start, lines)
        }
        guard let date else { return [range] }
        var parts = [date..<date + 8]
        if date > range.lowerBound { parts.insert(range.lowerBound..<date, at: 0) }
        guard date + 8 < range.upperBound else { return parts }
        let rest = date + 8..<range.upperBound
        let isTime =
            rest.count > 6 && ColumnSketch(name: "", values: cut(rest.lowerBound..<rest.lowerBound + 6, lines)).isTime
        return parts
            + (isTime ? [rest.lowerBound..<rest.lowerBound + 6, rest.lowerBound + 6..<rest.upperBound] : [rest])
    }

    private static func isDate(_ start: Int, _ lines: [[Character]]) -> Bool {
        ColumnSketch(name: "", values: cut(start..<start + 8, lines)).isTime
    }

    private static func cut(_ range: Range<Int>, _ lines: [[Character]]) -> [String] {
        lines.prefix(200).map { String($0[range.clamped(to: 0..<$0.count)]) }
    }
}

/// Records without line ends: the length after which bytes of the same kind come again.
enum RecordLength {
    private static let lengths = 8...2_048

    static func found(in sample: Sample) -> Int? {
        let kinds = sample.bytes.prefix(32 << 10).map(kind)
        let most = min(lengths.upperBound, kinds.count / 2)
        guard most >= lengths.lowerBound else { return nil }
        let scores = (lengths.lowerBound...most).map { length in
            let compared = min(kinds.count - length, 8 << 10)
            let same = (0..<compared).count { kinds[$0] == kinds[$0 + length] }
            return (length: length, share: same * 1_000 / compared)
        }.filter { !sample.isWhole || sample.bytes.count % $0.length == 0 }
        guard let best = scores.map(\.share).max(), best > 700 else { return nil }
        // Its multiples fit as well.
        return scores.first { $0.share * 100 >= best * 97 }?.length
    }

    private static func kind(_ byte: UInt8) -> UInt8 {
        switch byte {
        case 0x40: 1
        case 0xF0...0xF9: 2
        case 0xC1...0xC9, 0xD1...0xD9, 0xE2...0xE9: 3
        default: 0
        }
    }
}

/// COMP-3 in EBCDIC records: bytes of two digits, the last one with a sign in its lower half (C, D or F).
enum PackedFields {
    static func found(in records: [[UInt8]]) -> [Range<Int>] {
        guard let width = records.first?.count else { return [] }
        var fields: [Range<Int>] = []
        var start: Int?
        for at in 0..<width {
            let bytes = records.map { $0[at] }
            if bytes.allSatisfy({ $0 >> 4 <= 9 && $0 & 15 <= 9 }), !bytes.allSatisfy({ $0 == 0x40 }) {
                start = start ?? at
            } else {
                if let first = start, bytes.allSatisfy({ $0 >> 4 <= 9 && [12, 13, 15].contains($0 & 15) }) {
                    fields.append(first..<at + 1)
                }
                start = nil
            }
        }
        return fields
    }
}
