package import Inventory
import SQLite

/// What the last check of a ledger against its full export found, as the source remembers it.
package struct CheckReport: Sendable {
    package struct Line: Sendable {
        package var key: StockKey
        package var figures: [(bucket: String, expected: String, actual: String)]
        package var cause: String
        package var export: String
        package var asOf: Timestamp
        /// When this key was first found to differ.
        package var since: Timestamp
    }

    package var export: String
    package var asOf: Timestamp
    package var checkedAt: Timestamp
    package var compared: Int64
    /// Touched too lately to be compared.
    package var left: Int64
    /// Unknown before; they took the export's figures.
    package var baselines: Int64
    package var drifting: Int64
    /// In the order of their keys, at most `mostLines`.
    package var lines: [Line] = []

    private static let mostLines = 10_000

    /// Nil before the first check. Throws `SQLiteError`, busy while a large export is being compared.
    package init?(of source: String, in directory: String) throws {
        guard let connection = try SourceMemory.reader(of: source, in: directory) else { return nil }
        let parts = try connection.text("SELECT value FROM meta WHERE name = 'checked'")?
            .split(separator: "\u{1F}", omittingEmptySubsequences: false).map(String.init)
        guard let parts, parts.count == 7 else { return nil }
        let numbers = parts.dropFirst().map { Int64($0) ?? 0 }
        export = parts[0]
        asOf = Timestamp(milliseconds: numbers[0])
        checkedAt = Timestamp(milliseconds: numbers[1])
        (compared, left, baselines, drifting) = (numbers[2], numbers[3], numbers[4], numbers[5])
        let select = try connection.prepare(
            "SELECT key, figures, cause, export, as_of, since FROM drifts ORDER BY key LIMIT \(Self.mostLines)")
        while try select.step() {
            guard let key = StockKey(joined: select.text(0) ?? "") else { continue }
            lines.append(
                Line(
                    key: key, figures: Self.figures(select.text(1) ?? ""), cause: select.text(2) ?? "",
                    export: select.text(3) ?? "", asOf: Timestamp(milliseconds: select.integer(4)),
                    since: Timestamp(milliseconds: select.integer(5))))
        }
    }

    /// Why an export after the last check was not compared, in words. Throws as `init`.
    package static func notCompared(of source: String, in directory: String) throws -> String? {
        guard let connection = try SourceMemory.reader(of: source, in: directory) else { return nil }
        let text = try connection.text("SELECT value FROM meta WHERE name = 'not_compared'")
        return text.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// As a source remembers them; `figures` reads it.
    static func text(_ figures: [StockDrift.Figure]) -> String {
        figures.map { "\($0.bucket.name) \($0.expected) \($0.actual)" }.joined(separator: ",")
    }

    private static func figures(_ text: String) -> [(bucket: String, expected: String, actual: String)] {
        text.split(separator: ",").compactMap { part in
            let words = part.split(separator: " ").map(String.init)
            return words.count == 3 ? (words[0], words[1], words[2]) : nil
        }
    }
}
