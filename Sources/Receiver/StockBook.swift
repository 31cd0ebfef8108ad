import Inventory
import SQLite

/// The stock of one site as a consumer has it: lines by (epoch, version), a tree over them, a bounded mirror of the table.
/// All within the store's open transaction.
final class StockBook {
    struct Entry {
        let key: StockKey
        let leaf: UInt16
        /// The order of the epoch whose version counts; 0 before the first line.
        var epoch: Int64 = 0
        /// As the agent said it last.
        var balance = Balance(version: 0) { _ in nil }
        /// The last number that was said of each bucket.
        var known = Balance(version: 0) { _ in nil }
        var touched: Int64 = 0
        var sum: LineSum?
        var isDirty = false
    }

    private let site: Int64
    private let select, upsert, remove: Statement
    private let connection: Connection
    private var places: [StockKey: Int] = [:]
    private var entries: [Entry] = []
    private var dirty: [Int] = []
    private(set) var tree = StockTree()

    private static let capacity = 20_000
    private static let figures = Bucket.allCases.map(\.name).joined(separator: ", ")
    private static let known = Bucket.allCases.map { "known_\($0.name)" }.joined(separator: ", ")
    static let columns = "sku, location, lot, owner, epoch, version, leaf, touched, \(figures), \(known)"

    init(site: Int64, _ connection: Connection) throws {
        self.site = site
        self.connection = connection
        select = try connection.prepare(
            "SELECT \(Self.columns) FROM stock WHERE site = ?1 AND sku = ?2 AND location = ?3 AND lot = ?4 AND owner = ?5"
        )
        let places = (1...21).map { "?\($0)" }.joined(separator: ", ")
        upsert = try connection.prepare(
            """
            INSERT INTO stock(site, \(Self.columns)) VALUES (\(places))
            ON CONFLICT DO UPDATE SET epoch = excluded.epoch, version = excluded.version, touched = excluded.touched,
            \((Bucket.allCases.map(\.name) + Bucket.allCases.map { "known_\($0.name)" })
                .map { "\($0) = excluded.\($0)" }.joined(separator: ", "))
            """)
        remove = try connection.prepare(
            "DELETE FROM stock WHERE site = ?1 AND sku = ?2 AND location = ?3 AND lot = ?4 AND owner = ?5")
        let rows = try connection.prepare("SELECT \(Self.columns) FROM stock WHERE site = ?1")
        rows.bind(1, site)
        while try rows.step() {
            let entry = Self.entry(rows)
            tree.replace(nil, by: entry.sum, in: entry.leaf)
        }
    }

    /// Takes a line of an event, or of a snapshot, which counts also where the version is the same. `mark`: the number of
    /// the last snapshot that was begun.
    func take(_ line: BalanceLine, epoch: Int64, mark: Int64, isSnapshot: Bool) throws {
        let place = try place(of: line.key)
        entries[place].touched = mark
        let entry = entries[place]
        let isNewer = (epoch, line.balance.version) > (entry.epoch, entry.balance.version)
        let isSame = (epoch, line.balance.version) == (entry.epoch, entry.balance.version)
        if isNewer || isSnapshot && isSame {
            entries[place].epoch = epoch
            entries[place].balance = line.balance
            for bucket in Bucket.allCases {
                if let number = line.balance[bucket] { entries[place].known.put(number, in: bucket) }
            }
        }
        guard !entries[place].isDirty else { return }
        entries[place].isDirty = true
        dirty.append(place)
    }

    private func place(of key: StockKey) throws -> Int {
        if let place = places[key] { return place }
        let entry = try find(key) ?? Entry(key: key, leaf: key.leaf)
        entries.append(entry)
        places[key] = entries.count - 1
        return entries.count - 1
    }

    private func find(_ key: StockKey) throws -> Entry? {
        defer { select.reset() }
        bind(key, to: select)
        return try select.step() ? Self.entry(select) : nil
    }

    private func bind(_ key: StockKey, to statement: Statement) {
        statement.bind(1, site)
        statement.bind(2, text: key.sku)
        statement.bind(3, text: key.location)
        statement.bind(4, text: key.lot)
        statement.bind(5, text: key.owner)
    }

    static func entry(_ row: Statement) -> Entry {
        let key = StockKey(
            sku: row.text(0) ?? "", location: row.text(1) ?? "", lot: row.text(2) ?? "", owner: row.text(3) ?? "")
        var entry = Entry(key: key, leaf: UInt16(truncatingIfNeeded: row.integer(6)))
        entry.epoch = row.integer(4)
        entry.touched = row.integer(7)
        entry.balance = Balance(version: row.integer(5)) { figure(row, 8 + Int32($0.rawValue)) }
        entry.known = Balance(version: row.integer(5)) { figure(row, 14 + Int32($0.rawValue)) }
        entry.sum = BalanceLine(key: key, balance: entry.balance).sum
        return entry
    }

    private static func figure(_ row: Statement, _ column: Int32) -> Int64? {
        row.isNull(column) ? nil : row.integer(column)
    }

    /// Writes what changed, once a key. Before COMMIT.
    func flush() throws {
        for place in dirty {
            let entry = entries[place]
            entries[place].isDirty = false
            bind(entry.key, to: upsert)
            upsert.bind(6, entry.epoch)
            upsert.bind(7, entry.balance.version)
            upsert.bind(8, Int64(entry.leaf))
            upsert.bind(9, entry.touched)
            for bucket in Bucket.allCases {
                bind(entry.balance.stored(bucket), at: 10 + Int32(bucket.rawValue))
                bind(entry.known.stored(bucket), at: 16 + Int32(bucket.rawValue))
            }
            try upsert.run()
            let sum = BalanceLine(key: entry.key, balance: entry.balance).sum
            tree.replace(entry.sum, by: sum, in: entry.leaf)
            entries[place].sum = sum
        }
        dirty.removeAll(keepingCapacity: true)
        guard entries.count > Self.capacity else { return }
        forget()
    }

    private func bind(_ value: Int64?, at column: Int32) {
        if let value { upsert.bind(column, value) } else { upsert.bindNull(column) }
    }

    private func forget() {
        places.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
    }

    /// Removes the lines of a scope that nothing told of since the snapshot `mark` began; their keys.
    func removeUntouched(in scope: SnapshotScope, before mark: Int64) throws -> [StockKey] {
        try flush()
        forget()
        let filter = scope.leaf.map { "AND leaf = \($0)" } ?? ""
        let rows = try connection.prepare(
            "SELECT \(Self.columns) FROM stock WHERE site = ?1 AND touched < ?2 \(filter)")
        rows.bind(1, site)
        rows.bind(2, mark)
        var gone: [Entry] = []
        while try rows.step() {
            let entry = Self.entry(rows)
            if scope.contains(entry.key) { gone.append(entry) }
        }
        for entry in gone {
            bind(entry.key, to: remove)
            try remove.run()
            tree.replace(entry.sum, by: nil, in: entry.leaf)
        }
        return gone.map(\.key)
    }

    /// Of one leaf, by key, the epoch's order, version and hash.
    func lines(ofLeaf leaf: UInt16) throws -> [StockKey: (epoch: Int64, version: Int64, sum: LineSum)] {
        try flush()
        let rows = try connection.prepare("SELECT \(Self.columns) FROM stock WHERE site = ?1 AND leaf = ?2")
        rows.bind(1, site)
        rows.bind(2, Int64(leaf))
        var found: [StockKey: (epoch: Int64, version: Int64, sum: LineSum)] = [:]
        while try rows.step() {
            let entry = Self.entry(rows)
            found[entry.key] = (entry.epoch, entry.balance.version, entry.sum ?? .zero)
        }
        return found
    }

    func hash(of node: TreeNode) -> String {
        node.isLeaf ? tree.sum(ofLeaf: UInt16(node.index)).description : tree.digest(node).hex
    }

    func childHashes(of node: TreeNode) -> [String] { tree.childHashes(of: node) }
}
