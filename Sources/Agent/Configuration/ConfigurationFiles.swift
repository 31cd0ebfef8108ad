import Ingest
import FoundationEssentials
import TOMLKit

extension Configuration {
    /// Reads a file and the `conf.d/*.conf` beside it, in the order of their names. Throws `ConfigurationError` with
    /// everything that is wrong, not only the first.
    package static func load(path: String, environment: [String: String]) throws -> Configuration {
        try parse(try files(of: path), directory: path.directory, environment: environment)
    }

    /// In the order in which they go over each other.
    static func files(of path: String) throws -> [(name: String, text: String)] {
        try ([path] + (try extras("\(path.directory)/conf.d"))).map { (name: $0, text: try text($0)) }
    }

    /// A directory that is there and cannot be listed is no absent one: its settings would be left out silently.
    private static func extras(_ directory: String) throws -> [String] {
        guard FileManager.default.fileExists(atPath: directory) else { return [] }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
            throw ConfigurationError(problems: [
                "\(directory): cannot be listed; check that it is a directory, and its rights"
            ])
        }
        return names.filter { $0.hasSuffix(".conf") && !$0.hasPrefix(".") }.sorted().map { "\(directory)/\($0)" }
    }

    private static func text(_ file: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw ConfigurationError(problems: ["\(file): cannot be read; check the path and its rights"])
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw ConfigurationError(problems: [
                "\(file): is not UTF-8; save it as UTF-8, or write such letters as \\u00FC"
            ])
        }
        return text
    }

    package static func parse(
        _ text: String, file: String, directory: String, environment: [String: String]
    ) throws -> Configuration {
        try parse([(file, text)], directory: directory, environment: environment)
    }

    /// `files`: later ones over earlier ones. Relative paths are relative to `directory`.
    package static func parse(
        _ files: [(name: String, text: String)], directory: String, environment: [String: String]
    ) throws -> Configuration {
        let problems = ConfigurationProblems()
        let root = ConfigurationTable(
            try merged(files), path: "", place: .start(of: files.first?.name ?? ""), problems: problems)
        let configuration = ConfigurationReader(root: root, directory: directory, environment: environment).read()
        let list = problems.sorted
        guard list.isEmpty, let configuration else { throw ConfigurationError(problems: list) }
        return configuration
    }

    /// Described keys that reading such a file never looks at; empty, or the description and the reader differ.
    package static func keysNeverAsked(_ text: String) throws -> Set<String> {
        let problems = ConfigurationProblems()
        let root = ConfigurationTable(try merged([("", text)]), path: "", place: .start(of: ""), problems: problems)
        _ = ConfigurationReader(root: root, directory: "/", environment: [:]).read()
        return Set(ConfigurationKeys.all.filter { !$0.isLater }.map(\.path)).subtracting(problems.asked)
    }

    static func merged(_ files: [(name: String, text: String)]) throws -> ConfigurationNode? {
        var merged: ConfigurationNode?
        for file in files {
            let table: TOMLTable
            do { table = try TOMLTable(string: file.text) } catch let error as TOMLParseError {
                let place = error.source.begin
                throw ConfigurationError(problems: ["\(file.name):\(place.line):\(place.column): \(error.description)"])
            }
            let node = ConfigurationNode(table, file: file.name, positions: KeyPositions(file.text))
            if merged == nil { merged = node } else { merged?.merge(node) }
        }
        return merged
    }
}
