import Ingest
import TOMLKit

/// One table on its way to a typed value: remembers which keys were asked for, and gathers what is wrong.
final class ConfigurationTable {
    final class Problems {
        let file: String
        let positions: KeyPositions
        private(set) var list: [(line: Int, text: String)] = []

        init(file: String, positions: KeyPositions) {
            self.file = file
            self.positions = positions
        }

        func add(_ path: String, _ text: String) {
            let place = positions[path] ?? (0, 0)
            list.append((place.line, "\(file):\(place.line):\(place.column): \(text)"))
        }

        var sorted: [String] { list.sorted { $0.line < $1.line }.map(\.text) }
    }

    let path: String
    let problems: Problems
    private let table: TOMLTable
    private var asked: Set<String> = []

    init(_ table: TOMLTable, path: String, problems: Problems) {
        self.table = table
        self.path = path
        self.problems = problems
    }

    private func full(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func wrong(_ key: String, _ text: String) { problems.add(full(key), "\(full(key)): \(text)") }

    func text(_ key: String) -> String? {
        asked.insert(key)
        guard let value = table[key] else { return nil }
        if let text = value.string { return text }
        wrong(key, "wants text in quotes")
        return nil
    }

    func required(_ key: String) -> String {
        if let text = text(key) { return text }
        if table[key] == nil { problems.add(path, "\(full(key)) is missing") }
        return ""
    }

    func flag(_ key: String) -> Bool? {
        asked.insert(key)
        guard let value = table[key] else { return nil }
        if let flag = value.bool { return flag }
        wrong(key, "wants true or false")
        return nil
    }

    func number(_ key: String, in range: ClosedRange<Int>) -> Int? {
        asked.insert(key)
        guard let value = table[key] else { return nil }
        if let number = value.int, range.contains(number) { return number }
        wrong(key, "wants a whole number from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    func texts(_ key: String) -> [String]? {
        asked.insert(key)
        guard let value = table[key] else { return nil }
        if let array = value.array {
            let texts = array.compactMap(\.string)
            if texts.count == array.count { return texts }
        }
        wrong(key, "wants a list of texts")
        return nil
    }

    /// A value with its unit in the text, by the factors of its units.
    func measure(_ key: String, units: [String: Int64]) -> Int64? {
        guard let text = text(key) else { return nil }
        let digits = text.prefix { $0.isNumber }
        if let number = Int64(digits), let factor = units[String(text.dropFirst(digits.count))] {
            let product = number.multipliedReportingOverflow(by: factor)
            if !product.overflow { return product.partialValue }
        }
        wrong(key, "\"\(text)\" wants a number with one of the units \(units.keys.sorted().joined(separator: ", "))")
        return nil
    }

    static let durations: [String: Int64] = ["ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
    static let sizes: [String: Int64] = ["B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30]

    func choice<T: RawRepresentable<String>>(_ key: String, _ type: T.Type, _ names: String) -> T? {
        guard let text = text(key) else { return nil }
        if let value = T(rawValue: text) { return value }
        wrong(key, "\"\(text)\" is none of \(names)")
        return nil
    }

    func table(_ key: String) -> ConfigurationTable {
        asked.insert(key)
        if let value = table[key], value.table == nil { wrong(key, "wants a table") }
        return ConfigurationTable(table[key]?.table ?? TOMLTable(), path: full(key), problems: problems)
    }

    func tables(_ key: String) -> [ConfigurationTable] {
        asked.insert(key)
        guard let array = table[key]?.array else { return [] }
        return array.enumerated().compactMap { index, value in
            value.table.map { ConfigurationTable($0, path: "\(full(key)).\(index)", problems: problems) }
        }
    }

    /// All key and text pairs of a free-form table.
    func pairs(_ key: String) -> [String: String] {
        asked.insert(key)
        guard let inner = table[key]?.table else { return [:] }
        return inner.keys.reduce(into: [:]) { $0[$1] = inner[$1]?.string }
    }

    func expression(_ key: String) -> Expression? {
        guard let sql = text(key) else { return nil }
        let place = problems.positions[full(key) + " value"] ?? (0, 0)
        return Expression(sql: sql, file: problems.file, line: place.line, column: place.column + 1)
    }

    /// Keys that are documented for later parts of the program: refused, never ignored.
    private static let later: Set<String> = [
        "commands", "http", "reconcile", "outbox.wait_receipt", "max_age", "types", "expect_every", "checks", "mode",
        "query", "cursor", "ack",
    ]

    /// Reports keys that nobody asked for.
    func finish() {
        for key in table.keys where !asked.contains(key) {
            if ["password", "token", "secret", "key"].contains(key) {
                wrong(key, "secrets do not belong here; put it into a file of the credentials directory")
                continue
            }
            if Self.later.contains(full(key)) || Self.later.contains(key) {
                wrong(key, "is not available in this version")
                continue
            }
            let near = asked.map { ($0, editDistance(key, $0)) }.min { ($0.1, $0.0) < ($1.1, $1.0) }
            let hint = near.map { $0.1 <= 3 ? "; did you mean \"\($0.0)\"?" : "" } ?? ""
            wrong(key, "is no key of this version\(hint)")
        }
    }
}
