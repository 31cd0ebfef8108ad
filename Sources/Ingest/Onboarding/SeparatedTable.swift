/// csv: the separator that comes as often in each record, with quotes honoured by the decoder itself.
enum SeparatedTable {
    static let separators: [(byte: UInt8, words: String)] = [
        (UInt8(ascii: ";"), "semicolon"), (0x09, "tab"), (UInt8(ascii: "|"), "bar"), (UInt8(ascii: ","), "comma"),
    ]

    static func best(_ lines: SampleLines, _ format: FormatDefinition) throws -> TableSketch? {
        var best: (table: TableSketch, share: Int)?
        for separator in separators {
            var format = format
            format.delimiter = separator.byte
            guard let (first, rows, others) = try read(lines, format), first.count > 1 else { continue }
            let share = 100 * (rows.count + 1) / (rows.count + 1 + others)
            let isBetter = best.map { (share, first.count) > ($0.share, $0.table.names.count) } ?? true
            guard share >= 90, isBetter else { continue }
            best = (table(format, first, rows, separator.words, others), share)
        }
        return best?.table
    }

    /// The first record, those with as many fields, and how many have others. Nil for nothing.
    private static func read(
        _ lines: SampleLines, _ format: FormatDefinition
    ) throws -> (first: [String], rows: [[String]], others: Int)? {
        var decoder = try CSVDecoder(format: format, columns: nil)
        var rows: [[String]] = []
        var others = 0
        for line in lines.raw {
            switch decoder.decode(line) {
            case .record(let record): rows.append(record.values)
            case .reject: others += 1
            case .notice, nil: break
            }
        }
        return decoder.columns.map { ($0, rows, others) }
    }

    private static func table(
        _ format: FormatDefinition, _ first: [String], _ rows: [[String]], _ separator: String, _ others: Int
    ) -> TableSketch {
        var table = TableSketch(format: format, names: first, rows: rows)
        table.notes = ["format csv by \(separator): \(rows.count + 1) records have \(first.count) fields"]
        if others > 0 { table.notes.append("TODO: \(others) records have another number of fields; they are rejected") }
        let names = first.count { ColumnRole.of($0) != nil }
        if isHeader(first, rows, names) {
            table.notes.append("the first line names the columns")
            if Set(first).count < first.count || first.contains("") {
                table.notes.append("TODO: names are missing, or there twice: such columns cannot be mapped")
            }
        } else {
            table.format.hasHeader = false
            table.names = first.indices.map { "c\($0 + 1)" }
            table.format.columns = table.names
            table.rows.insert(first, at: 0)
            table.notes.append("TODO: no line with names was seen; give the columns their names")
        }
        return table
    }

    /// Names stand where others have numbers and times, or are known.
    private static func isHeader(_ first: [String], _ rows: [[String]], _ known: Int) -> Bool {
        let sketches = first.map { ColumnSketch(name: "", values: [$0]) }
        if sketches.contains(where: { $0.isNumber || $0.isTime }) { return false }
        if known * 3 >= first.count, known > 1 { return true }
        return first.indices.contains { index in
            let below = ColumnSketch(name: "", values: rows.prefix(200).map { $0[index] })
            return !first[index].isEmpty && (below.isNumber || below.isTime)
        }
    }
}
