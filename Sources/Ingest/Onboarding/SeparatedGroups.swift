/// csv whose records begin with a type: few types, each with as many fields wherever it comes.
enum SeparatedGroups {
    private struct Group {
        var type: String
        var rows: [[String]]
    }

    static func best(_ lines: SampleLines, _ format: FormatDefinition) throws -> TableSketch? {
        for separator in SeparatedTable.separators {
            var format = format
            format.delimiter = separator.byte
            format.hasHeader = false
            format.recordType = "1"
            guard let groups = groups(try rows(lines, format)) else { continue }
            return table(format, groups, separator.words)
        }
        return nil
    }

    /// Each line by itself, as if it were one of names.
    private static func rows(_ lines: SampleLines, _ format: FormatDefinition) throws -> [[String]] {
        var format = format
        format.hasHeader = true
        let fresh = try CSVDecoder(format: format, columns: nil)
        return lines.raw.compactMap { line in
            var decoder = fresh
            _ = decoder.decode(line)
            return decoder.columns
        }
    }

    private static func groups(_ rows: [[String]]) -> [Group]? {
        var groups: [Group] = []
        for row in rows {
            let type = row[0]
            guard (1...10).contains(type.utf8.count), type.utf8.allSatisfy({ $0 > 0x2F && $0 < 0x80 }) else {
                return nil
            }
            if let index = groups.firstIndex(where: { $0.type == type }) {
                guard row.count == groups[index].rows[0].count else { return nil }
                groups[index].rows.append(row)
            } else {
                guard groups.count < 6 else { return nil }
                groups.append(Group(type: type, rows: [row]))
            }
        }
        let hasOften = groups.contains { $0.rows.count > 1 && $0.rows[0].count > 2 }
        return Set(groups.map { $0.rows[0].count }).count > 1 && hasOften ? groups : nil
    }

    private static func table(_ format: FormatDefinition, _ groups: [Group], _ separator: String) -> TableSketch {
        var table = TableSketch(format: format, names: [], rows: [])
        let details = groups.map(\.rows.count).max() ?? 0
        let detail = groups.firstIndex { $0.rows.count == details } ?? 0
        for (index, group) in groups.enumerated() {
            let mark = index == detail ? "c" : "\(group.type.lowercased())_"
            let names = group.rows[0].indices.map { "\(mark)\($0 + 1)" }
            let role: RecordLayout.Role = index == detail ? .detail : index < detail ? .header : .trailer
            var layout = RecordLayout(type: group.type, role: role, columns: names)
            let count = group.rows[0].dropFirst().firstIndex { Int($0) == details }
            if role == .trailer, group.rows.count == 1, let count { layout.counts[names[count]] = "*" }
            table.format.layouts.append(layout)
            if index == detail { (table.names, table.rows) = (names, group.rows) }
        }
        let words = groups.map { "\($0.type) \($0.rows.count)" }.joined(separator: ", ")
        table.notes = [
            "format csv by \(separator), likely: records begin with a type (\(words))",
            "TODO: compare the types' roles with the description, and give the columns their names",
        ]
        return table
    }
}
