import Ingest
import TOMLKit

/// What is wrong with a configuration, and what was asked of it.
final class ConfigurationProblems {
    private var list: [(place: ConfigurationPlace, text: String)] = []
    /// Paths of the keys that the reader looked at.
    private(set) var asked: Set<String> = []

    func add(_ place: ConfigurationPlace, _ text: String) { list.append((place, text)) }
    var count: Int { list.count }
    func ask(_ path: String) { asked.insert(path) }

    /// File by file, in the order of the lines.
    var sorted: [String] {
        list.enumerated().sorted { one, other in
            let (a, b) = (one.element.place, other.element.place)
            return (a.file, a.line, a.column, one.offset) < (b.file, b.line, b.column, other.offset)
        }.map { "\($0.element.place.words): \($0.element.text)" }
    }
}

/// One table on its way to a typed value, read by the description of its keys.
final class ConfigurationTable {
    /// Of the description: without the numbers of lists.
    let path: String
    let place: ConfigurationPlace
    let problems: ConfigurationProblems
    let members: [String: ConfigurationNode]

    init(_ node: ConfigurationNode?, path: String, place: ConfigurationPlace, problems: ConfigurationProblems) {
        if let node, case .table(let members) = node.content { self.members = members } else { members = [:] }
        self.path = path
        self.place = node?.place ?? place
        self.problems = problems
    }

    func full(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func place(of key: String) -> ConfigurationPlace { members[key]?.place ?? place }

    func wrong(_ key: String, _ text: String) { problems.add(place(of: key), "\(full(key)): \(text)") }

    /// Whether a key is absent, or says what holds without it.
    func isDefault(_ key: String) -> Bool {
        guard let node = members[key] else { return true }
        guard case .value(let value) = node.content, let fallback = ConfigurationKeys.find(full(key))?.fallback else {
            return false
        }
        return value.string.map { "\"\($0)\"" } ?? value.int.map { "\($0)" } == fallback
    }

    // MARK: single values

    private func value(_ key: String) -> (any TOMLValueConvertible)? {
        precondition(ConfigurationKeys.find(full(key)) != nil, "\(full(key)) is described")
        problems.ask(full(key))
        guard let node = members[key] else { return nil }
        if case .value(let value) = node.content { return value }
        wrong(key, "wants a single value, not a table")
        return nil
    }

    func text(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.string else {
            wrong(key, "wants text in quotes")
            return nil
        }
        if case .choice(let names)? = ConfigurationKeys.find(full(key))?.kind, !names.contains(text) {
            wrong(key, refusal(key, text, names))
            return nil
        }
        return text
    }

    /// Other kinds and formats are known, but not to this version.
    private func refusal(_ key: String, _ text: String, _ names: [String]) -> String {
        if ConfigurationKeys.laterValues[full(key)]?.contains(text) == true {
            return "\"\(text)\" is not available in this version"
        }
        return "\"\(text)\" is none of \(names.joined(separator: ", "))"
    }

    func required(_ key: String) -> String {
        if let text = text(key) { return text }
        if members[key] == nil { problems.add(place, "\(full(key)) is missing") }
        return ""
    }

    func flag(_ key: String) -> Bool? {
        guard let value = value(key) else { return nil }
        if let flag = value.bool { return flag }
        wrong(key, "wants true or false")
        return nil
    }

    func texts(_ key: String) -> [String]? {
        guard let value = value(key) else { return nil }
        if let array = value.array {
            let texts = array.compactMap(\.string)
            if texts.count == array.count { return texts }
        }
        wrong(key, "wants a list of texts")
        return nil
    }

    func expression(_ key: String) -> Expression? {
        guard let sql = text(key), let place = members[key]?.valuePlace else { return nil }
        return Expression(sql: sql, file: place.file, line: place.line, column: place.column + 1)
    }

    // MARK: measures

    /// A number, duration (milliseconds), size (bytes) or rate (per second), within the range of its description.
    func measure(_ key: String) -> Int64? {
        guard let value = value(key), let kind = ConfigurationKeys.find(full(key))?.kind else { return nil }
        guard let (units, range) = Self.measure(kind) else { return nil }
        guard let number = units.isEmpty ? value.int.map(Int64.init) : Self.number(value.string, units) else {
            let wanted = units.isEmpty ? "a whole number" : "text such as \(Self.sample(kind))"
            wrong(key, "wants \(wanted)\(units.isEmpty ? "" : "; units: \(Self.names(units))")")
            return nil
        }
        guard range.contains(number) else {
            let least = Self.words(range.lowerBound, units)
            wrong(key, "wants \(least) to \(Self.words(range.upperBound, units))")
            return nil
        }
        return number
    }

    private static func measure(_ kind: KeyKind) -> (units: [String: Int64], range: ClosedRange<Int64>)? {
        switch kind {
        case .number(let range): ([:], range)
        case .duration(let range): (durations, range)
        case .size(let range): (sizes, range)
        case .rate(let range): (["/s": 1], range)
        default: nil
        }
    }

    private static func sample(_ kind: KeyKind) -> String {
        switch kind {
        case .size: "\"64KiB\""
        case .rate: "\"500/s\""
        default: "\"30s\""
        }
    }

    static func duration(_ text: String) -> Int64? { number(text, durations) }

    private static func number(_ text: String?, _ units: [String: Int64]) -> Int64? {
        guard let text else { return nil }
        let digits = text.prefix { ("0"..."9").contains($0) }
        guard let number = Int64(digits), let factor = units[String(text.dropFirst(digits.count))] else { return nil }
        let product = number.multipliedReportingOverflow(by: factor)
        return product.overflow ? .max : product.partialValue
    }

    private static let durations: [String: Int64] = ["ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
    private static let sizes: [String: Int64] = ["B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30]

    private static func names(_ units: [String: Int64]) -> String {
        units.sorted { $0.value < $1.value }.map(\.key).joined(separator: ", ")
    }

    /// In the greatest unit that gives a whole number.
    private static func words(_ number: Int64, _ units: [String: Int64]) -> String {
        let unit = units.filter { number % $0.value == 0 && number >= $0.value }.max { $0.value < $1.value }
        return unit.map { "\(number / $0.value)\($0.key)" } ?? "\(number)"
    }

    // MARK: tables

    func table(_ key: String) -> ConfigurationTable {
        problems.ask(full(key))
        if let node = members[key] {
            switch node.content {
            case .table: break
            case .tables: wrong(key, "is one table: write [\(full(key))], with single brackets")
            case .value: wrong(key, "wants a table")
            }
        }
        return ConfigurationTable(members[key], path: full(key), place: place(of: key), problems: problems)
    }

    func tables(_ key: String) -> [ConfigurationTable] {
        problems.ask(full(key))
        guard let node = members[key] else { return [] }
        guard case .tables(let nodes) = node.content else {
            wrong(key, "is a list of tables: write [[\(full(key))]], with double brackets")
            return []
        }
        return nodes.map { ConfigurationTable($0, path: full(key), place: $0.place, problems: problems) }
    }

    /// All key and text pairs of a free table.
    func pairs(_ key: String) -> [String: String] {
        problems.ask(full(key))
        guard let node = members[key] else { return [:] }
        guard case .table(let inner) = node.content else {
            wrong(key, "wants a table of texts")
            return [:]
        }
        var pairs: [String: String] = [:]
        for (name, node) in inner {
            if case .value(let value) = node.content, let text = value.string {
                pairs[name] = text
            } else {
                problems.add(node.place, "\(full(key)).\(name): wants text in quotes")
            }
        }
        return pairs
    }

    // MARK: what nobody knows

    /// Reports the keys that no description names, and those of later versions.
    func finish() {
        for key in members.keys {
            guard let described = ConfigurationKeys.find(full(key)) else {
                wrong(key, unknown(key))
                continue
            }
            if described.isLater { wrong(key, "is not available in this version") }
        }
    }

    private func unknown(_ key: String) -> String {
        if ["password", "passphrase", "token", "secret", "key", "private_key", "credential"].contains(key) {
            return "secrets do not belong here; put it into a file of the credentials directory, such as mqtt.\(key)"
        }
        let near = ConfigurationKeys.children(of: path).map { ($0.name, editDistance(key, $0.name)) }
            .min { ($0.1, $0.0) < ($1.1, $1.0) }
        return "is no key of this version" + (near.map { $0.1 <= 3 ? "; did you mean \"\($0.0)\"?" : "" } ?? "")
    }
}

/// Milliseconds of a text such as `30s`, as configuration and command line write it; nil for what is none.
package func milliseconds(ofDuration text: String) -> Int64? { ConfigurationTable.duration(text) }
