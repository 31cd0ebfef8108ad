/// Finds the line and column of keys in a TOML text: the parser gives positions for syntax errors only.
struct KeyPositions {
    private var places: [String: (line: Int, column: Int)] = [:]

    /// `[[source]]` tables are counted: the second one's keys are `source.1.name`, its events `source.1.event.0.type`.
    init(_ text: String) {
        var table = ""
        var counts: [String: Int] = [:]
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let indent = line.prefix { $0 == " " || $0 == "\t" }.count
            let body = line.dropFirst(indent)
            if body.hasPrefix("[") {
                table = Self.table(body, &counts)
                places[table] = (index + 1, indent + 1)
            } else if let equals = body.firstIndex(of: "="), !body.hasPrefix("#") {
                let key = body[..<equals].filter { $0 != " " && $0 != "\"" }
                let before = line.distance(from: line.startIndex, to: equals)
                let gap = line[line.index(after: equals)...].prefix { $0 == " " }.count
                let path = table.isEmpty ? key : "\(table).\(key)"
                places[path] = (index + 1, indent + 1)
                places[path + " value"] = (index + 1, before + gap + 2)
            }
        }
    }

    private static func table(_ body: Substring, _ counts: inout [String: Int]) -> String {
        let isList = body.hasPrefix("[[")
        let name = String(body.drop { $0 == "[" }.prefix { $0 != "]" }.filter { $0 != " " })
        guard isList else { return name }
        if name == "source" {
            counts["source", default: -1] += 1
            counts = counts.filter { $0.key == "source" }
            return "source.\(counts["source"] ?? 0)"
        }
        guard name.hasPrefix("source.") else { return name }
        counts[name, default: -1] += 1
        return "source.\(counts["source"] ?? 0).\(name.dropFirst("source.".count)).\(counts[name] ?? 0)"
    }

    subscript(path: String) -> (line: Int, column: Int)? { places[path] }
}
