import Inventory
import SQLite

/// The balances that recent batches touched: a bounded mirror of the stock table. A batch works on a copy, which takes
/// the mirror's place only after COMMIT returned.
struct BalanceCache {
    private var known: [StockKey: Balance] = [:]
    private var dirty: Set<StockKey> = []
    private let capacity = 20_000
    /// What the present record replaced, newest last.
    private var undo: [(key: StockKey, balance: Balance?, wasDirty: Bool)] = []

    /// A record begins.
    mutating func mark() { undo.removeAll(keepingCapacity: true) }

    /// Takes back what was put since `mark`.
    mutating func rewind() {
        for entry in undo.reversed() {
            known[entry.key] = entry.balance
            if !entry.wasDirty { dirty.remove(entry.key) }
        }
        mark()
    }

    /// The balance of a key as the batch sees it.
    mutating func balance(of key: StockKey, rules: InventoryRules, select: Statement) throws -> Balance {
        if let balance = known[key] { return balance }
        let balance = try Self.read(key, select) ?? Balance(rules: rules)
        known[key] = balance
        return balance
    }

    mutating func put(_ balance: Balance, for key: StockKey) {
        let isNew = dirty.insert(key).inserted
        undo.append((key, known.updateValue(balance, forKey: key), !isNew))
    }

    /// Writes what the batch changed, once a key, in key order.
    mutating func writeDirty(_ upsert: Statement) throws {
        for key in dirty.sorted() {
            guard let balance = known[key] else { continue }
            upsert.bind(1, text: key.sku)
            upsert.bind(2, text: key.location)
            upsert.bind(3, text: key.lot)
            upsert.bind(4, text: key.owner)
            for (index, bucket) in Bucket.allCases.enumerated() {
                if let value = balance.stored(bucket) {
                    upsert.bind(Int32(5 + index), value)
                } else {
                    upsert.bindNull(Int32(5 + index))
                }
            }
            upsert.bind(11, balance.version)
            try upsert.run()
        }
        dirty.removeAll(keepingCapacity: true)
        if known.count > capacity { known.removeAll(keepingCapacity: true) }
    }

    static let selectSQL = """
        SELECT unrestricted, quarantined, damaged, blocked, allocated, in_transit, version FROM stock
        WHERE sku = ?1 AND location = ?2 AND lot = ?3 AND owner = ?4
        """
    static let upsertSQL = "INSERT OR REPLACE INTO stock VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"

    private static func read(_ key: StockKey, _ select: Statement) throws -> Balance? {
        defer { select.reset() }
        select.bind(1, text: key.sku)
        select.bind(2, text: key.location)
        select.bind(3, text: key.lot)
        select.bind(4, text: key.owner)
        guard try select.step() else { return nil }
        let buckets = (Int32(0)..<6).map { select.isNull($0) ? nil : select.integer($0) }
        return Balance(stored: buckets, version: select.integer(6))
    }
}
