/// csv: the separator that comes as often in each record, with quotes honoured by the decoder itself.
enum SeparatedTable {
    static let separators: [(byte: UInt8, words: String)] = [
        (UInt8(ascii: ";"), "semicolon"), (0x09, "tab"), (UInt8(ascii: "|"), "bar"), (UInt8(ascii: ","), "comma"),
    ]

    /// So many lines may stand before the header.
    private static let mostTitles = 20

    static func best(_ lines: SampleLines, _ format: FormatDefinition) throws -> TableSketch? {
        if let table = try best(lines, format, from: 0) { return table }
        for titles in 1..<max(2, min(mostTitles + 1, lines.raw.count - 2)) where titles < lines.raw.count {
            guard var table = try best(lines, format, from: titles), table.format.hasHeader, table.names.count > 2
            else {
                continue
            }
            table.format.skippedLines = lines.numbers[titles]
            table.notes.append("the \(lines.numbers[titles]) lines before it are titles, no records")
            return table
        }
        return nil
    }

    private static func best(
        _ lines: SampleLines, _ format: FormatDefinition, from titles: Int
    ) throws -> TableSketch? {
        var best: (table: TableSketch, share: Int)?
        for separator in separators {
            var format = format
            format.delimiter = separator.byte
            var found = try read(lines, format, from: titles)
            guard let first = found.first, first.count > 1 else { continue }
            if !lines.endsOpen { format.ignoredLines = footers(&found, separator.byte) }
            let share = 100 * (found.rows.count + 1) / (found.rows.count + 1 + found.others.count)
            let isBetter = best.map { (share, first.count) > ($0.share, $0.table.names.count) } ?? true
            guard share >= 90, isBetter else { continue }
            best = (table(format, first, found.rows, separator.words, found.others.count), share)
        }
        return best?.table
    }

    private struct Reading {
        var first: [String]?
        /// Those with as many fields as the first.
        var rows: [[String]] = []
        /// Those with others, and how many rows came before.
        var others: [(text: String, after: Int)] = []
    }

    private static func read(_ lines: SampleLines, _ format: FormatDefinition, from titles: Int) throws -> Reading {
        var decoder = try CSVDecoder(format: format, columns: nil)
        var reading = Reading()
        for (line, text) in zip(lines.raw, lines.texts).dropFirst(titles) {
            switch decoder.decode(line) {
            case .record(let record): reading.rows.append(record.values)
            case .reject: reading.others.append((text, reading.rows.count))
            case .notice, nil: break
            }
        }
        reading.first = decoder.columns
        return reading
    }

    /// What the lines behind the last row begin with, where it is a word of their own: up to three of them.
    private static func footers(_ reading: inout Reading, _ separator: UInt8) -> [String] {
        let rows = reading.rows
        guard !rows.isEmpty, (1...3).contains(reading.others.count),
            reading.others.allSatisfy({ $0.after == rows.count })
        else { return [] }
        let words = reading.others.map { other in
            let end = other.text.utf8.firstIndex { $0 == separator || $0 == 0x20 || $0 == UInt8(ascii: ":") }
            return String(other.text[..<(end ?? other.text.endIndex)])
        }
        let isOwn = words.allSatisfy { word in
            word.contains(where: \.isLetter) && !word.contains(where: \.isNumber)
                && !rows.contains { $0.first?.hasPrefix(word) ?? false }
        }
        guard isOwn else { return [] }
        reading.others = []
        return words
    }

    private static func table(
        _ format: FormatDefinition, _ first: [String], _ rows: [[String]], _ separator: String, _ others: Int
    ) -> TableSketch {
        var table = TableSketch(format: format, names: first, rows: rows)
        table.notes = ["format csv by \(separator): \(rows.count + 1) records have \(first.count) fields"]
        if !format.ignoredLines.isEmpty {
            table.notes.append("TODO: the last lines seem to be footers; where they count the records, see record_type")
        }
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
