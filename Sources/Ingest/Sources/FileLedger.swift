package import Inventory
import SQLite

/// What became of the files of a drop directory, as its source remembers them: the last 200,000.
package enum FileLedger {
    package struct Line: Sendable {
        package var name: String
        /// `read`, `refused`, `repeated`: its content was read before, or `skipped`: it was there before the first start.
        package var outcome: String
        /// Why it was not read, in words; empty where it was.
        package var reason: String
        /// When that was decided.
        package var at: Timestamp
    }

    package static let mostLines = 1_000

    /// The latest `count` (`mostLines`), the latest first, with `text` anywhere in their names in either case. Nil for a
    /// source that remembers no files. Throws `SQLiteError`, busy while a large export is being compared.
    package static func last(
        _ count: Int, of source: String, in directory: String, holding text: String = "",
        besidesRead: Bool = false
    ) throws -> [Line]? {
        precondition((1...mostLines).contains(count))
        guard let connection = try SourceMemory.reader(of: source, in: directory) else { return nil }
        // An earlier version's file, until its source is opened.
        let hasReason = "SELECT count(*) FROM pragma_table_info('files') WHERE name = 'reason'"
        let reason = try connection.integer(hasReason) == 1 ? "reason" : "''"
        let select = try connection.prepare(
            """
            SELECT name, outcome, \(reason), at FROM files
            WHERE instr(lower(name), lower(?1)) > 0 \(besidesRead ? "AND outcome <> 'read'" : "")
            ORDER BY n DESC LIMIT \(count)
            """)
        select.bind(1, text: text)
        var lines: [Line] = []
        while try select.step() {
            lines.append(
                Line(
                    name: select.text(0) ?? "", outcome: select.text(1) ?? "", reason: select.text(2) ?? "",
                    at: Timestamp(milliseconds: select.integer(3))))
        }
        return lines
    }
}
