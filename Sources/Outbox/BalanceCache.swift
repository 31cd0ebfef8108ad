import Inventory
import SQLite

/// The balances that recent batches touched: a bounded mirror of the stock table. A batch works on a copy, which takes
/// the mirror's place only after COMMIT returned.
struct BalanceCache {
    private struct Entry {
        let key: StockKey
        var balance: Balance
        /// Of the line as the table holds it; nil: it holds none.
        var sum: LineSum?
        let leaf: UInt16
        /// When an event touched it last, in milliseconds since 1970: its own time or its capture's, the later one.
        var touched: Int64 = 0
        var isDirty = false
        /// The entry before of the same hash.
        let earlier: Int32?
    }

    /// The latest entry of a key's hash: the keys themselves stand in the entries alone, which halves the mirror's size.
    private var latest: [Int: Int32] = [:]
    private var entries: [Entry] = []
    /// Places of entries that the batch changed.
    private var dirty: [Int] = []
    /// What the present record replaced, newest last.
    private var undo: [(place: Int, balance: Balance, wasDirty: Bool)] = []

    /// Some 4 MB. A miss costs a read and a hash, about 2 µs.
    private static let capacity = 20_480

    /// What a batch may add beyond the capacity before it is trimmed.
    private static let slack = 4_096

    /// A record begins.
    mutating func mark() { undo.removeAll(keepingCapacity: true) }

    /// Takes back what was put since `mark`.
    mutating func rewind() {
        for entry in undo.reversed() {
            entries[entry.place].balance = entry.balance
            entries[entry.place].isDirty = entry.wasDirty
            if !entry.wasDirty { dirty.removeLast() }
        }
        mark()
    }

    /// Where a key's balance stands until the batch ends; read from the table when it is not known.
    mutating func place(of key: StockKey, rules: InventoryRules, select: Statement) throws -> Int {
        let hash = key.hashValue
        let earlier = latest[hash]
        var place = earlier
        while let known = place {
            if entries[Int(known)].key == key { return Int(known) }
            place = entries[Int(known)].earlier
        }
        // Growing would hold it twice for a moment; what is not touched costs nothing.
        if entries.capacity == 0 { entries.reserveCapacity(Self.capacity + Self.slack) }
        if let (stored, leaf, touched) = try Self.read(key, select) {
            let sum = BalanceLine(key: key, balance: stored).sum
            entries.append(
                Entry(key: key, balance: stored, sum: sum, leaf: leaf, touched: touched, earlier: earlier))
        } else {
            entries.append(Entry(key: key, balance: Balance(rules: rules), leaf: key.leaf, earlier: earlier))
        }
        latest[hash] = Int32(entries.count - 1)
        return entries.count - 1
    }

    subscript(place: Int) -> Balance { entries[place].balance }

    mutating func put(_ balance: Balance, at place: Int, touched: Int64) {
        undo.append((place, entries[place].balance, entries[place].isDirty))
        entries[place].touched = max(entries[place].touched, touched)
        entries[place].balance = balance
        if !entries[place].isDirty {
            entries[place].isDirty = true
            dirty.append(place)
        }
    }

    /// Writes what the batch changed, once a key; what that means for the stock tree.
    mutating func writeDirty(_ upsert: Statement) throws -> [TreeChange] {
        var changes: [TreeChange] = []
        changes.reserveCapacity(dirty.count)
        for place in dirty {
            try Self.write(entries[place], upsert)
            let sum = BalanceLine(key: entries[place].key, balance: entries[place].balance).sum
            changes.append(
                TreeChange(place: place, leaf: entries[place].leaf, before: entries[place].sum, after: sum))
            entries[place].sum = sum
            entries[place].isDirty = false
        }
        dirty.removeAll(keepingCapacity: true)
        return changes
    }

    func key(of change: TreeChange) -> StockKey { entries[change.place].key }

    /// Forgets all when it is more than it may be; between batches.
    mutating func trim() {
        guard entries.count > Self.capacity else { return }
        latest.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
    }

    private static func write(_ entry: Entry, _ upsert: Statement) throws {
        let (key, balance) = (entry.key, entry.balance)
        upsert.bind(1, text: key.sku)
        upsert.bind(2, text: key.location)
        upsert.bind(3, text: key.lot)
        upsert.bind(4, text: key.owner)
        for bucket in Bucket.allCases {
            let column = 5 + Int32(bucket.rawValue)
            if let value = balance.stored(bucket) { upsert.bind(column, value) } else { upsert.bindNull(column) }
        }
        upsert.bind(11, balance.version)
        upsert.bind(12, Int64(entry.leaf))
        upsert.bind(13, entry.touched)
        try upsert.run()
    }

    static let selectSQL = """
        SELECT unrestricted, quarantined, damaged, blocked, allocated, in_transit, version, leaf, touched FROM stock
        WHERE sku = ?1 AND location = ?2 AND lot = ?3 AND owner = ?4
        """
    /// The leaf of a row that is there stays as it is, and so does its index.
    static let upsertSQL = """
        INSERT INTO stock VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
        ON CONFLICT DO UPDATE SET unrestricted = ?5, quarantined = ?6, damaged = ?7, blocked = ?8, allocated = ?9,
            in_transit = ?10, version = ?11, touched = ?13
        """

    private static func read(_ key: StockKey, _ select: Statement) throws -> (Balance, leaf: UInt16, touched: Int64)? {
        defer { select.reset() }
        select.bind(1, text: key.sku)
        select.bind(2, text: key.location)
        select.bind(3, text: key.lot)
        select.bind(4, text: key.owner)
        guard try select.step() else { return nil }
        let balance = Balance(version: select.integer(6)) { bucket in
            let column = Int32(bucket.rawValue)
            return select.isNull(column) ? nil : select.integer(column)
        }
        return (balance, UInt16(truncatingIfNeeded: select.integer(7)), select.integer(8))
    }
}
