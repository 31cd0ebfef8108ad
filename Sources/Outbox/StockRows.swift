package import Inventory
import SQLite

/// Reads the stock table, in the order of its primary key: bytes, field by field.
enum StockRows {
    static let columns =
        "sku, location, lot, owner, unrestricted, quarantined, damaged, blocked, allocated, in_transit, version"
    static let key = "(sku, location, lot, owner)"
    /// Lines of a leaf or of a SKU that are told; a leaf has a few in millions.
    private static let most = 1_000

    /// The rows after a key.
    static func page(
        _ connection: Connection, after: StockKey?, within condition: String = "", limit: Int,
        bind: (Statement) -> Void = { _ in }
    ) throws -> [BalanceLine] {
        let isBounded = after != nil
        let conditions = [isBounded ? "\(key) > (?1, ?2, ?3, ?4)" : "", condition].filter { !$0.isEmpty }
        let filter = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        let select = try connection.prepare("SELECT \(columns) FROM stock \(filter) ORDER BY \(order) LIMIT \(limit)")
        if let after { put(after, select) }
        bind(select)
        return try lines(select)
    }

    static let order = "sku, location, lot, owner"

    static func leaf(_ connection: Connection, _ leaf: UInt16) throws -> [BalanceLine] {
        try page(connection, after: nil, within: "leaf = \(leaf)", limit: most)
    }

    static func sku(_ connection: Connection, _ sku: String, location: String?) throws -> [BalanceLine] {
        try page(
            connection, after: nil, within: "sku = ?5" + (location == nil ? "" : " AND location = ?6"), limit: most
        ) { select in
            select.bind(5, text: sku)
            if let location { select.bind(6, text: location) }
        }
    }

    static func put(_ key: StockKey, _ select: Statement) {
        select.bind(1, text: key.sku)
        select.bind(2, text: key.location)
        select.bind(3, text: key.lot)
        select.bind(4, text: key.owner)
    }

    private static func lines(_ select: Statement) throws -> [BalanceLine] {
        var lines: [BalanceLine] = []
        while try select.step() { lines.append(line(select)) }
        return lines
    }

    static func line(_ select: Statement) -> BalanceLine {
        let key = StockKey(
            sku: select.text(0) ?? "", location: select.text(1) ?? "", lot: select.text(2) ?? "",
            owner: select.text(3) ?? "")
        let balance = Balance(version: select.integer(10)) { bucket in
            let column = 4 + Int32(bucket.rawValue)
            return select.isNull(column) ? nil : select.integer(column)
        }
        return BalanceLine(key: key, balance: balance)
    }
}

extension OutboxReader: StockView {
    package func known(_ key: StockKey) throws -> KnownStock? {
        try read {
            let select =
                try selectKnown
                ?? prepareKnown("WHERE sku = ?1 AND location = ?2 AND lot = ?3 AND owner = ?4")
            selectKnown = select
            defer { select.reset() }
            StockRows.put(key, select)
            return try Self.known(select).first
        }
    }

    package func known(after key: StockKey?, limit: Int) throws -> [KnownStock] {
        try read {
            let select = try prepareKnown(
                "\(key == nil ? "" : "WHERE \(StockRows.key) > (?1, ?2, ?3, ?4)") ORDER BY \(StockRows.order) LIMIT \(limit)"
            )
            if let key { StockRows.put(key, select) }
            return try Self.known(select)
        }
    }

    package func known(ofSKU sku: String) throws -> [KnownStock] {
        try read {
            let select = try prepareKnown("WHERE sku = ?1 LIMIT 1000")
            select.bind(1, text: sku)
            return try Self.known(select)
        }
    }

    private func prepareKnown(_ condition: String) throws -> Statement {
        try connection.prepare("SELECT \(StockRows.columns), touched FROM stock \(condition)")
    }

    private static func known(_ select: Statement) throws -> [KnownStock] {
        var found: [KnownStock] = []
        while try select.step() {
            let line = StockRows.line(select)
            found.append(
                KnownStock(
                    key: line.key, balance: line.balance, touchedAt: Timestamp(milliseconds: select.integer(11))))
        }
        return found
    }
}

/// A part of a snapshot, read at one moment.
package struct StockPage: Sendable {
    package var lines: [BalanceLine]
    /// Where to go on; nil: at the place where this page began.
    package var scannedTo: StockKey?
    package var isLast: Bool
}

extension OutboxReader {
    private static let rowsLookedAt = 2_000

    /// At most `limit` lines of the scope after a key, in the order of the keys. Looks at no more than 2,000 rows, so a
    /// page may be empty and not the last.
    package func stock(after: StockKey?, in scope: SnapshotScope, limit: Int) throws -> StockPage {
        try read {
            if let leaf = scope.leaf {
                let rows = try StockRows.leaf(connection, leaf).filter { line in
                    scope.contains(line.key) && (after.map { $0 < line.key } ?? true)
                }
                let lines = Array(rows.prefix(limit))
                return StockPage(lines: lines, scannedTo: lines.last?.key, isLast: lines.count == rows.count)
            }
            // The range of a SKU prefix is one of bytes: every text with the prefix lies from it on.
            let start = after ?? (scope.sku.isEmpty ? nil : StockKey(sku: scope.sku))
            let isInclusive = after == nil && start != nil
            var rows = try StockRows.page(
                connection, after: isInclusive ? nil : start, within: isInclusive ? "sku >= ?5" : "",
                limit: scope.isAll ? limit : Self.rowsLookedAt
            ) { if isInclusive { $0.bind(5, text: scope.sku) } }
            let wasFull = rows.count == (scope.isAll ? limit : Self.rowsLookedAt)
            let end = rows.firstIndex { !$0.key.sku.utf8.starts(with: scope.sku.utf8) }
            if let end { rows.removeSubrange(end...) }
            let found = rows.filter { scope.contains($0.key) }
            let lines = Array(found.prefix(limit))
            let hasRoom = found.count <= limit
            return StockPage(
                lines: lines, scannedTo: hasRoom ? rows.last?.key ?? after : lines.last?.key,
                isLast: hasRoom && (end != nil || !wasFull))
        }
    }

    /// The lines of one SKU, at most 1,000.
    package func stock(sku: String, location: String? = nil) throws -> [BalanceLine] {
        try read { try StockRows.sku(connection, sku, location: location) }
    }
}
