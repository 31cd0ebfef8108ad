import SQLite

/// One JSON object a line; the columns are the paths to texts, numbers and truths.
enum JSONTable {
    private static let mostColumns = 200
    private static let mostRecords = 1_000

    /// Nil when the lines are no objects.
    static func read(_ lines: SampleLines, _ format: FormatDefinition) throws -> TableSketch? {
        let objects = lines.texts.filter { $0.hasPrefix("{") && $0.hasSuffix("}") }
        guard objects.count * 10 >= lines.texts.count * 9, !objects.isEmpty else { return nil }
        let connection = try Connection(path: "", mode: .memory)
        let leaves = try connection.prepare(
            "SELECT fullkey, atom FROM json_tree(?1) WHERE type NOT IN ('object', 'array')")
        var paths: [String: Int] = [:]
        var table = TableSketch(format: format, names: [], rows: [])
        for object in objects.prefix(mostRecords) {
            var row: [String] = []
            leaves.bind(1, text: object)
            defer { leaves.reset() }
            do {
                while try leaves.step() {
                    guard let path = leaves.text(0).flatMap(Self.path) else { continue }
                    if paths[path] == nil, paths.count < mostColumns { paths[path] = paths.count }
                    guard let column = paths[path] else { continue }
                    while row.count <= column { row.append("") }
                    row[column] = leaves.text(1) ?? ""
                }
            } catch { continue }
            table.rows.append(row)
        }
        guard !table.rows.isEmpty else { return nil }
        // What is null here and an object there is no column.
        let ordered = paths.sorted { $0.value < $1.value }.map(\.key)
        let kept = ordered.indices.filter { index in !ordered.contains { $0.hasPrefix(ordered[index] + ".") } }
        table.rows = table.rows.map { row in kept.map { $0 < row.count ? row[$0] : "" } }
        table.format.kind = .jsonl
        table.format.columns = kept.map { ordered[$0] }
        table.names = table.format.columns.map { String($0.map { $0 == "." ? "_" : $0 }) }
        table.notes = ["format jsonl, sure: one object a line"]
        if ordered.contains(where: { $0.contains(".0.") || $0.hasSuffix(".0") }) {
            table.notes.append(
                "TODO: an object holds a list; a column names one place in it, and each line gives one record")
        }
        return table
    }

    /// `$.lines[0]."item_code"` as the decoder writes it: `lines.0.item_code`. Nil for keys that hold signs of paths.
    private static func path(_ key: String) -> String? {
        guard key.hasPrefix("$.") else { return nil }
        var path = ""
        var isQuoted = false
        for character in key.dropFirst(2) {
            switch character {
            case "\"": isQuoted.toggle()
            case _ where isQuoted && "\\.[]".contains(character): return nil
            case "[": path.append(".")
            case "]": break
            default: path.append(character)
            }
        }
        return path
    }
}
