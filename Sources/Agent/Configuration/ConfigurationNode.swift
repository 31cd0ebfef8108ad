import FoundationEssentials
import TOMLKit

/// Where something stands in one of the files that a configuration is read from.
struct ConfigurationPlace {
    var file: String
    var line: Int
    var column: Int

    static func start(of file: String) -> ConfigurationPlace { ConfigurationPlace(file: file, line: 1, column: 1) }

    var words: String { "\(file):\(line):\(column)" }
}

/// What the files say together: tables merge, lists of tables add up, of other values the last one counts.
struct ConfigurationNode {
    enum Content {
        case table([String: ConfigurationNode])
        case tables([ConfigurationNode])
        case value(any TOMLValueConvertible)
    }

    var content: Content
    var place: ConfigurationPlace
    /// Of the value itself.
    var valuePlace: ConfigurationPlace

    init(_ table: TOMLTable, file: String, positions: KeyPositions) {
        self.init(table, path: "", file: file, positions: positions)
    }

    private init(_ table: TOMLTable, path: String, file: String, positions: KeyPositions) {
        let members = table.keys.compactMap { key -> (String, ConfigurationNode)? in
            let full = path.isEmpty ? key : "\(path).\(key)"
            return table[key].map { (key, ConfigurationNode($0, path: full, file: file, positions: positions)) }
        }
        self.init(.table(Dictionary(uniqueKeysWithValues: members)), path: path, file: file, positions: positions)
    }

    private init(_ value: any TOMLValueConvertible, path: String, file: String, positions: KeyPositions) {
        if let table = value.table {
            self.init(table, path: path, file: file, positions: positions)
        } else if let array = value.array, !array.isEmpty, array.allSatisfy({ $0.table != nil }) {
            let tables = array.enumerated().compactMap { index, element in
                element.table.map { ConfigurationNode($0, path: "\(path).\(index)", file: file, positions: positions) }
            }
            self.init(.tables(tables), path: path, file: file, positions: positions)
        } else {
            self.init(.value(value), path: path, file: file, positions: positions)
        }
    }

    private init(_ content: Content, path: String, file: String, positions: KeyPositions) {
        self.content = content
        let key = positions.key(path) ?? positions.key("\(path).0") ?? KeyPosition(line: 1, column: 1)
        let value = positions.value(path) ?? key
        place = ConfigurationPlace(file: file, line: key.line, column: key.column)
        valuePlace = ConfigurationPlace(file: file, line: value.line, column: value.column)
    }

    mutating func merge(_ other: ConfigurationNode) {
        switch (content, other.content) {
        case (.table(var mine), .table(let theirs)):
            for (key, node) in theirs { mine[key] = mine[key].map { $0.merged(node) } ?? node }
            content = .table(mine)
        case (.tables(let mine), .tables(let theirs)): content = .tables(mine + theirs)
        default: self = other
        }
    }

    private func merged(_ other: ConfigurationNode) -> ConfigurationNode {
        var merged = self
        merged.merge(other)
        return merged
    }
}
