package import Inventory
import SQLite

/// Looks at a receiver's file, read-only, also while it runs.
package final class ReceiverView {
    package struct StockLine: Codable, Sendable {
        package var schema = 1
        package var site: String
        package var sku: String
        package var location: String
        package var lot: String
        package var owner: String
        package var epoch: String
        package var version: Int64
        /// By bucket: the last number that was said of it; absent where none was.
        package var figures: [String: String]
        /// Buckets whose number the agent does not confirm any more.
        package var unconfirmed: [String]
    }

    package struct SiteLine: Codable, Sendable {
        package var schema = 1
        package var site: String
        package var epoch: String
        /// By lane.
        package var offsets: [String: Int64]
        package var keys: Int64
        /// Whether a snapshot is on its way.
        package var isResyncing: Bool
        /// The last beacon, as the agent sent it.
        package var beacon: String?
    }

    private let connection: Connection

    package init(path: String) throws {
        connection = try Connection(path: path, mode: .readOnly)
        let count = try connection.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'lanes'")
        guard count == 1 else {
            throw ReceiverError("\(path) is no receiver's file", hint: "name the file that waybill receive --db writes")
        }
    }

    /// Lines of all sites or one, of all SKUs or one, at most `limit`.
    package func stock(site: String?, sku: String?, limit: Int64) throws -> [StockLine] {
        let select = try connection.prepare(
            """
            SELECT \(StockBook.columns), sites.site, epochs.text FROM stock JOIN sites ON sites.id = stock.site
            LEFT JOIN epochs ON epochs.id = stock.epoch
            WHERE (?1 IS NULL OR sites.site = ?1) AND (?2 IS NULL OR sku = ?2)
            ORDER BY sites.site, sku, location, lot, owner LIMIT ?3
            """)
        for (index, text) in [(1, site), (2, sku)] as [(Int32, String?)] {
            if let text { select.bind(index, text: text) } else { select.bindNull(index) }
        }
        select.bind(3, limit)
        var lines: [StockLine] = []
        while try select.step() { lines.append(Self.line(select)) }
        return lines
    }

    private static func line(_ row: Statement) -> StockLine {
        let entry = StockBook.entry(row)
        let known = Bucket.allCases.filter { entry.known[$0] != nil }
        return StockLine(
            site: row.text(20) ?? "", sku: entry.key.sku, location: entry.key.location, lot: entry.key.lot,
            owner: entry.key.owner, epoch: row.text(21) ?? "", version: entry.balance.version,
            figures: Dictionary(uniqueKeysWithValues: known.map { ($0.name, entry.known[$0]?.description ?? "") }),
            unconfirmed: known.filter { entry.balance[$0] == nil }.map(\.name))
    }

    /// All stock of a site, as its agent said it last: the order of its epoch and the balance.
    package func balances(site: String) throws -> [StockKey: (epoch: Int64, balance: Balance)] {
        let rows = try connection.prepare(
            "SELECT \(StockBook.columns) FROM stock WHERE site = (SELECT id FROM sites WHERE site = ?1)")
        rows.bind(1, text: site)
        var found: [StockKey: (epoch: Int64, balance: Balance)] = [:]
        while try rows.step() {
            let entry = StockBook.entry(rows)
            found[entry.key] = (entry.epoch, entry.balance)
        }
        return found
    }

    package func sites(_ name: String?) throws -> [SiteLine] {
        let rows = try connection.prepare(
            """
            SELECT sites.id, sites.site, beacon, snapshot IS NOT NULL,
                (SELECT max(id) FROM epochs WHERE epochs.site = sites.id),
                (SELECT text FROM epochs WHERE epochs.site = sites.id ORDER BY id DESC LIMIT 1),
                (SELECT count(*) FROM stock WHERE stock.site = sites.id)
            FROM sites WHERE ?1 IS NULL OR sites.site = ?1 ORDER BY sites.site
            """)
        if let name { rows.bind(1, text: name) } else { rows.bindNull(1) }
        var found: [SiteLine] = []
        while try rows.step() {
            found.append(
                SiteLine(
                    site: rows.text(1) ?? "", epoch: rows.text(5) ?? "", offsets: try offsets(rows.integer(4)),
                    keys: rows.integer(6), isResyncing: rows.integer(3) != 0, beacon: rows.text(2)))
        }
        return found
    }

    private func offsets(_ epoch: Int64) throws -> [String: Int64] {
        let rows = try connection.prepare("SELECT lane, last FROM lanes WHERE epoch = ?1")
        rows.bind(1, epoch)
        var found: [String: Int64] = [:]
        while try rows.step() {
            if let lane = Lane(rawValue: UInt8(rows.integer(0))) { found[lane.name] = rows.integer(1) }
        }
        return found
    }

    /// What went wrong and was mended, the newest first.
    package func log(site: String?, limit: Int64) throws -> [ReceiverStore.LogEntry] {
        let rows = try connection.prepare(
            """
            SELECT at, sites.site, kind, lane, epoch, first, last, words FROM log JOIN sites ON sites.id = log.site
            WHERE ?1 IS NULL OR sites.site = ?1 ORDER BY number DESC LIMIT ?2
            """)
        if let site { rows.bind(1, text: site) } else { rows.bindNull(1) }
        rows.bind(2, limit)
        var found: [ReceiverStore.LogEntry] = []
        while try rows.step() {
            found.append(
                .init(
                    at: Timestamp(milliseconds: rows.integer(0)), site: rows.text(1) ?? "", kind: rows.text(2) ?? "",
                    lane: rows.text(3), epoch: rows.text(4), first: rows.isNull(5) ? nil : rows.integer(5),
                    last: rows.isNull(6) ? nil : rows.integer(6), words: rows.text(7) ?? ""))
        }
        return found
    }
}
