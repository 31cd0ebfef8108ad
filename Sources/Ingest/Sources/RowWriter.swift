import Inventory
import SQLite

/// Changes the remembered rows within one generation, and notes which keys that may concern.
final class RowWriter {
    private let connection: Connection
    private let generation: Int64
    private let insertRow: Statement
    private let noteKey: Statement
    private let noteKeyOf: Statement
    private let buryRow: Statement
    private static let figures = Bucket.allCases.map(\.name).joined(separator: ", ")

    init(_ connection: Connection, generation: Int64) throws {
        self.connection = connection
        self.generation = generation
        insertRow = try connection.prepare(
            "INSERT INTO rows(hash, key, kind, born, died, \(Self.figures)) "
                + "VALUES (?1, ?2, ?3, \(generation), 0, ?4, ?5, ?6, ?7, ?8, ?9)")
        noteKey = try connection.prepare("INSERT OR IGNORE INTO changes VALUES (?1)")
        noteKeyOf = try connection.prepare(
            "INSERT OR IGNORE INTO changes SELECT key FROM rows WHERE id = ?1 AND kind = 0")
        buryRow = try connection.prepare("UPDATE rows SET died = \(generation) WHERE id = ?1")
        try connection.execute("CREATE TEMP TABLE IF NOT EXISTS gone(key TEXT PRIMARY KEY) WITHOUT ROWID")
    }

    private var isBulk = false

    /// Many rows come: without the indexes each of them would be put into at a random place.
    func beginBulk() throws {
        isBulk = true
        try connection.execute("DROP INDEX rows_by_hash; DROP INDEX rows_by_key")
    }

    func endBulk() throws {
        guard isBulk else { return }
        isBulk = false
        try connection.execute(
            """
            \(SourceMemory.rowIndexes)
            INSERT OR IGNORE INTO changes
                SELECT DISTINCT key FROM rows WHERE born = \(generation) AND kind = 0 ORDER BY key
            """)
    }

    func insert(_ hash: RowHash, _ row: LevelRow) throws {
        insertRow.bind(1, bytes: hash.bytes)
        for bucket in Bucket.allCases { insertRow.bindNull(4 + Int32(bucket.rawValue)) }
        var key: StockKey?
        switch row {
        case .level(let level):
            insertRow.bind(3, 0)
            key = level.key
            for (bucket, quantity) in level.buckets {
                insertRow.bind(4 + Int32(bucket.rawValue), quantity.millionths)
            }
            if !isBulk {
                noteKey.bind(1, text: level.key.joined)
                try noteKey.run()
            }
        case .ignored: insertRow.bind(3, 1)
        case .reject(_, let known):
            insertRow.bind(3, 2)
            key = known
        }
        if let key { insertRow.bind(2, text: key.joined) } else { insertRow.bindNull(2) }
        try insertRow.run()
    }

    func bury(_ id: Int64) throws {
        noteKeyOf.bind(1, id)
        try noteKeyOf.run()
        buryRow.bind(1, id)
        try buryRow.run()
    }

    /// A key with a row that cannot be read stays as it was.
    func leaveUnknown() throws {
        let unknown = "SELECT key FROM rows WHERE kind = 2 AND key IS NOT NULL AND died = 0"
        try connection.execute(
            """
            DELETE FROM rows WHERE kind = 0 AND born = \(generation) AND key IN (\(unknown));
            UPDATE rows SET died = 0 WHERE kind = 0 AND died = \(generation) AND key IN (\(unknown));
            DELETE FROM changes WHERE key IN (\(unknown));
            """)
    }

    /// How many keys were there and are not any more.
    func goneKeys() throws -> Int64 {
        try connection.execute(
            """
            DELETE FROM gone;
            INSERT OR IGNORE INTO gone SELECT key FROM rows r WHERE died = \(generation) AND kind = 0
                AND NOT EXISTS (SELECT 1 FROM rows a WHERE a.key = r.key AND a.died = 0 AND a.kind = 0)
            """)
        return try connection.integer("SELECT count(*) FROM gone")
    }

    /// Leaves them as they were.
    func reviveGone() throws {
        try connection.execute(
            """
            UPDATE rows SET died = 0 WHERE died = \(generation) AND kind = 0 AND key IN (SELECT key FROM gone);
            DELETE FROM changes WHERE key IN (SELECT key FROM gone)
            """)
    }

    /// How many keys are there that were not.
    func addedKeys() throws -> Int64 {
        try connection.integer(
            """
            SELECT count(*) FROM changes c WHERE EXISTS (SELECT 1 FROM rows a WHERE a.key = c.key AND a.kind = 0
                AND a.died = 0) AND NOT EXISTS (SELECT 1 FROM rows r WHERE r.key = c.key AND r.kind = 0
                AND r.born < \(generation) AND (r.died = 0 OR r.died = \(generation)))
            """)
    }
}

/// The keys that a generation changed, with their figures before and after.
struct ChangedKeys {
    private let select: Statement
    private let after: RowSums
    private let before: RowSums
    private let hasBefore: Bool
    /// Under one mapping a bucket that is named no more holds nothing; under another one it may just not be named.
    private let zeroes: Bool

    init(_ connection: Connection, generation: Int64, zeroes: Bool) throws {
        self.zeroes = zeroes
        select = try connection.prepare("SELECT key FROM changes WHERE key > ?1 ORDER BY key LIMIT ?2")
        after = try RowSums(connection)
        before = try RowSums(connection, before: generation)
        hasBefore = try connection.integer("SELECT min(born) FROM (SELECT born FROM rows LIMIT 1)") < generation
    }

    /// At most `limit` keys after one, in order; what did not change after all is left out.
    func page(after key: String, limit: Int) throws -> (levels: [StockLevel], last: String?) {
        select.bind(1, text: key)
        select.bind(2, Int64(limit))
        defer { select.reset() }
        var levels: [StockLevel] = []
        var last: String?
        while try select.step() {
            let text = select.text(0) ?? ""
            last = text
            if let level = try change(of: text) { levels.append(level) }
        }
        return (levels, last)
    }

    private func change(of text: String) throws -> StockLevel? {
        guard let key = StockKey(joined: text) else { return nil }
        let now = try after.figures(of: text)
        let then = hasBefore ? try before.figures(of: text) : [:]
        let emptied = zeroes || now.isEmpty ? then.mapValues { _ in Quantity.zero } : [:]
        let level = now.merging(emptied) { figure, _ in figure }
        return level == then || level.isEmpty ? nil : StockLevel(key: key, buckets: level)
    }
}

/// What the rows of a key add up to; empty: there is none.
struct RowSums {
    private let select: Statement

    /// In the last export, or in the one `before` a generation.
    init(_ connection: Connection, before generation: Int64? = nil) throws {
        let sums = Bucket.allCases.map { "sum(\($0.name))" }.joined(separator: ", ")
        let isIn = generation.map { "born < \($0) AND (died = 0 OR died = \($0))" } ?? "died = 0"
        select = try connection.prepare("SELECT \(sums) FROM rows WHERE key = ?1 AND kind = 0 AND \(isIn)")
    }

    func figures(of key: String) throws -> [Bucket: Quantity] {
        select.bind(1, text: key)
        defer { select.reset() }
        guard try select.step() else { return [:] }
        var figures: [Bucket: Quantity] = [:]
        for bucket in Bucket.allCases where !select.isNull(Int32(bucket.rawValue)) {
            figures[bucket] = try Quantity(millionths: select.integer(Int32(bucket.rawValue)))
        }
        return figures
    }
}

extension StockKey {
    /// No field holds the separator, so these are as different as the keys are.
    var joined: String { [sku, location, lot, owner].joined(separator: "\u{1F}") }

    init?(joined text: String) {
        let parts = text.split(separator: "\u{1F}", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4 else { return nil }
        self.init(sku: parts[0], location: parts[1], lot: parts[2], owner: parts[3])
    }
}
