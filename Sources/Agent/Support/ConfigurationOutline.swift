import FoundationEssentials
import TOMLKit

/// What of a configuration may leave the machine: which keys are set, and the values of those that can only be a number, a
/// switch, a measure or one of a few words.
enum ConfigurationOutline {
    /// One key a line, of all the files that a configuration is read from.
    static func lines(path: String) throws -> [String] {
        guard let root = try Configuration.merged(try Configuration.files(of: path)) else { return [] }
        return lines(root, path: "", shown: "").sorted()
    }

    private static func lines(_ node: ConfigurationNode, path: String, shown: String) -> [String] {
        switch node.content {
        case .table(let members):
            return members.flatMap { name, member in
                lines(member, path: joined(path, name), shown: joined(shown, name))
            }
        case .tables(let tables):
            return tables.enumerated().flatMap { index, table in lines(table, path: path, shown: "\(shown)[\(index)]") }
        case .value(let value):
            guard let key = ConfigurationKeys.find(path) else { return ["(a key that this version does not know)"] }
            return ["\(shown) = \(words(value, key.kind) ?? "(set)")"]
        }
    }

    private static func joined(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// Nil where the value could be anything.
    private static func words(_ value: any TOMLValueConvertible, _ kind: KeyKind) -> String? {
        switch kind {
        case .flag: value.bool.map { "\($0)" }
        case .number: value.int.map { "\($0)" }
        case .duration, .size, .rate: value.string.flatMap { isMeasure($0) ? $0 : nil }
        case .choice(let words): value.string.flatMap { words.contains($0) ? $0 : nil }
        case .text, .texts, .expression, .pairs, .table, .tables: nil
        }
    }

    private static func isMeasure(_ text: String) -> Bool {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count)
        return !digits.isEmpty && digits.count < 16 && unit.count <= 4
            && unit.allSatisfy { $0.isASCII && $0.isLetter || $0 == "/" }
    }
}
