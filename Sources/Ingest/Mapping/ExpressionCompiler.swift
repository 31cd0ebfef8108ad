import CSQLite
import SQLite

/// Lets a connection compute and nothing else: no files, no attaching, no pragmas, no writes, bounded lengths.
enum Sandbox {
    static func close(_ connection: Connection) {
        connection.limit(SQLITE_LIMIT_LENGTH, 1 << 21)
        connection.limit(SQLITE_LIMIT_SQL_LENGTH, 1 << 20)
        connection.limit(SQLITE_LIMIT_ATTACHED, 0)
        connection.limit(SQLITE_LIMIT_EXPR_DEPTH, 200)
        connection.setAuthorizer { action, table, name in
            switch action {
            case SQLITE_SELECT: true
            case SQLITE_READ: table?.hasPrefix("sqlite_") != true
            case SQLITE_FUNCTION: name != "load_extension"
            default: false
            }
        }
    }
}

/// Prepares expressions over a record's columns, and says where a wrong one stands.
struct ExpressionCompiler {
    let connection: Connection
    let columns: [String]

    /// One row with a column for each expression.
    func prepare(_ expressions: [Expression]) throws -> RecordQuery {
        for expression in expressions { try check(expression) }
        let list = expressions.map { "(\($0.sql))" }.joined(separator: ", ")
        return try query(list.isEmpty ? "NULL" : list)
    }

    /// What is done with a record for which a condition is true.
    struct Case {
        var condition: Expression
        /// What is computed then, and only then.
        var fields: [Expression] = []
    }

    /// In order, to be asked until one gives a row: the index of the first case whose condition is true, then its fields.
    /// What comes after it is not evaluated.
    func prepareChoice(_ cases: [Case]) throws -> [RecordQuery] {
        for one in cases { try check(one.condition) }
        for one in cases { for field in one.fields { try check(field) } }
        let width = cases.map(\.fields.count).max() ?? 0
        var queries: [RecordQuery] = []
        var terms: [String] = []
        var named = ""
        func end() throws {
            guard !terms.isEmpty else { return }
            queries.append(try query(terms.joined(separator: " UNION ALL ") + " LIMIT 1", naming: named))
            (terms, named) = ([], "")
        }
        for (index, one) in cases.enumerated() {
            let padding = Array(repeating: "NULL", count: width - one.fields.count)
            let list = (["\(index)"] + one.fields.map { "(\($0.sql))" } + padding).joined(separator: ", ")
            // In a CASE its terms are computed from the left on and no further than needed; in a WHERE alone they are not.
            let text = "\(list) FROM (\(subquery)) WHERE CASE WHEN (\(one.condition.sql)) THEN 1 END"
            if terms.count == Self.mostTerms || terms.reduce(text.utf8.count, { $0 + $1.utf8.count }) > Self.mostText {
                try end()
            }
            terms.append("SELECT " + text)
            named += list + one.condition.sql
        }
        try end()
        return queries
    }

    /// SQLite takes 500 SELECTs in one, and a million bytes.
    private static let mostTerms = 200
    private static let mostText = 500_000

    private func query(_ list: String) throws -> RecordQuery {
        try query("SELECT \(list) FROM (\(subquery))", naming: list)
    }

    private func query(_ text: String, naming list: String) throws -> RecordQuery {
        let statement = try connection.prepare(text)
        let named = Array(list.lowercased().utf8)
        let used = columns.indices.filter { named.contains(Array(columns[$0].lowercased().utf8)) }
        return RecordQuery(statement: statement, columns: used)
    }

    private var subquery: String {
        let named = columns.enumerated().map { index, name in
            "?\(index + 1) AS \"\(name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\""
        }
        return "SELECT \(named.isEmpty ? "NULL" : named.joined(separator: ", "))"
    }

    /// Each alone, so that an error's offset is the expression's own. In a WHERE too, where no aggregate may be: it would
    /// give a row for a record that its rule is not for.
    private func check(_ expression: Expression) throws {
        try check(expression, "SELECT (", ") FROM (\(subquery))")
        try check(expression, "SELECT 1 FROM (\(subquery)) WHERE (", ")")
    }

    private func check(_ expression: Expression, _ prefix: String, _ suffix: String) throws {
        do { _ = try connection.prepare(prefix + expression.sql + suffix) } catch {
            let inside = min(
                max(0, (error.errorOffset ?? prefix.utf8.count) - prefix.utf8.count), expression.sql.utf8.count)
            let place = "\(expression.file):\(expression.line):\(expression.column + inside)"
            throw IngestError("\(place): \(error.message) in \"\(expression.sql)\"", hint: nearest(error.message))
        }
    }

    private func nearest(_ message: String) -> String {
        guard message.hasPrefix("no such column: ") else { return "" }
        let wanted = String(message.dropFirst("no such column: ".count))
        let ranked = columns.map { ($0, editDistance(wanted.lowercased(), $0.lowercased())) }.sorted { $0.1 < $1.1 }
        guard let best = ranked.first, best.1 <= max(2, wanted.count / 2) else {
            return "the record has: \(columns.joined(separator: ", "))"
        }
        return "did you mean \"\(best.0)\"?"
    }
}

/// A statement over a record. `columns` are those that its text may name: only they are bound.
struct RecordQuery {
    let statement: Statement
    let columns: [Int]

    /// Binds the record's text where it lies and steps once; `body` runs when there is a row.
    func evaluate<R>(_ record: Record, _ body: (Statement) throws -> R) throws -> R? {
        try record.text.withUnsafeBytes { text in
            let base = record.text.startIndex
            for column in columns {
                let field = record.fields[column]
                if field == Record.absent {
                    statement.bindNull(Int32(column + 1))
                    continue
                }
                let value = UnsafeRawBufferPointer(
                    rebasing: text[(field.lowerBound - base)..<(field.upperBound - base)])
                statement.bind(Int32(column + 1), staticText: value)
            }
            defer { statement.reset() }
            return try statement.step() ? try body(statement) : nil
        }
    }
}

/// How many single edits lead from one text to the other (Levenshtein).
package func editDistance(_ a: String, _ b: String) -> Int {
    let (first, second) = (Array(a.utf8), Array(b.utf8))
    var row = Array(0...second.count)
    for (i, x) in first.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, y) in second.enumerated() {
            let above = row[j + 1]
            row[j + 1] = min(above + 1, row[j] + 1, diagonal + (x == y ? 0 : 1))
            diagonal = above
        }
    }
    return row[second.count]
}
