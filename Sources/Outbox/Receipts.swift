package import Inventory
import SQLite

/// A consumer says that it has durably processed a lane up to a sequence.
package struct Receipt: Sendable, Equatable {
    package var requester: String
    package var lane: Lane
    package var epoch: Epoch
    package var sequence: Int64
    package var at: Timestamp

    package init(requester: String, lane: Lane, epoch: Epoch, sequence: Int64, at: Timestamp) {
        self.requester = requester
        self.lane = lane
        self.epoch = epoch
        self.sequence = sequence
        self.at = at
    }
}

/// The receipts that are stored, as memory holds them.
struct ReceiptMirror {
    struct Key: Hashable {
        let requester: String
        let epoch: Int64
        let lane: Int64
    }

    struct Line {
        var sequence: Int64
        var at: Int64
    }

    private(set) var lines: [Key: Line] = [:]

    /// Names come from the configuration's list; were it changed often, the one of which nothing was heard for longest
    /// makes room for the next.
    static let mostRequesters = 64

    init(_ connection: Connection) throws {
        let rows = try connection.prepare("SELECT requester, epoch, lane, sequence, at FROM receipts")
        while try rows.step() {
            let key = Key(requester: rows.text(0) ?? "", epoch: rows.integer(1), lane: rows.integer(2))
            lines[key] = Line(sequence: rows.integer(3), at: rows.integer(4))
        }
    }

    subscript(key: Key) -> Line? {
        get { lines[key] }
        set { lines[key] = newValue }
    }

    /// The requester went on to a later epoch.
    func isPast(_ key: Key) -> Bool {
        lines.keys.contains { $0.requester == key.requester && $0.epoch > key.epoch }
    }

    /// Makes room for a line: the requester's lines of earlier epochs go, and for a new name an old one. What went.
    mutating func make(room key: Key, sparing waited: String?) -> [Key] {
        var gone = lines.keys.filter { $0.requester == key.requester && $0.epoch < key.epoch }
        var last: [String: Int64] = [:]
        for (key, line) in lines { last[key.requester] = max(last[key.requester] ?? .min, line.at) }
        if last[key.requester] == nil, last.count >= Self.mostRequesters,
            let oldest = last.filter({ $0.key != waited }).min(by: { ($0.value, $0.key) < ($1.value, $1.key) })
        {
            gone += lines.keys.filter { $0.requester == oldest.key }
        }
        for key in gone { lines[key] = nil }
        return gone
    }

    /// Up to which sequence events of an epoch's lane may be pruned. In an older epoch a requester that went on to a later
    /// one is waited for no longer: what it lacked it asked for, or counts as lost.
    func bound(epoch: Int64, lane: Int64, waitingFor requester: String?) -> Int64 {
        guard let requester else { return .max }
        let key = Key(requester: requester, epoch: epoch, lane: lane)
        return isPast(key) ? .max : lines[key]?.sequence ?? 0
    }
}

extension Outbox {
    /// Stores receipts together; the highest of a requester's lane counts, and an unknown epoch's none. Durable on return.
    package func take(_ receipts: [Receipt]) throws {
        try write { journal in
            var mirror = journal.receipts
            let waited = options.waitReceipt
            try journal.connection.transaction {
                for receipt in receipts { try Self.put(receipt, &mirror, journal, sparing: waited) }
            }
            journal.receipts = mirror
            journal.upkeep.progress = nil
        }
    }

    private static func put(
        _ receipt: Receipt, _ mirror: inout ReceiptMirror, _ journal: Journal, sparing waited: String?
    ) throws {
        let find = try journal.connection.prepare("SELECT ordinal FROM epochs WHERE text = ?1")
        find.bind(1, text: receipt.epoch.text)
        guard try find.step() else { return }
        let key = ReceiptMirror.Key(
            requester: receipt.requester, epoch: find.integer(0), lane: Int64(receipt.lane.rawValue))
        guard receipt.sequence > mirror[key]?.sequence ?? 0 else { return }
        try Marks.put(receipt.lane, receipt.sequence, who: receipt.requester, epoch: key.epoch, at: receipt.at, journal)
        guard !mirror.isPast(key) else { return }
        for gone in mirror.make(room: key, sparing: waited) {
            let delete = try journal.connection.prepare(
                "DELETE FROM receipts WHERE requester = ?1 AND epoch = ?2 AND lane = ?3")
            delete.bind(1, text: gone.requester)
            delete.bind(2, gone.epoch)
            delete.bind(3, gone.lane)
            try delete.run()
        }
        mirror[key] = .init(sequence: receipt.sequence, at: receipt.at.milliseconds)
        let insert = try journal.connection.prepare("INSERT OR REPLACE INTO receipts VALUES (?1, ?2, ?3, ?4, ?5)")
        insert.bind(1, text: receipt.requester)
        insert.bind(2, key.epoch)
        insert.bind(3, key.lane)
        insert.bind(4, receipt.sequence)
        insert.bind(5, receipt.at.milliseconds)
        try insert.run()
    }

    /// The latest of each requester and lane in the present epoch.
    package var receipts: [Receipt] {
        get throws {
            try write { journal in
                journal.receipts.lines.compactMap { key, line in
                    guard key.epoch == journal.ordinal, let lane = Lane(rawValue: UInt8(key.lane)) else { return nil }
                    return Receipt(
                        requester: key.requester, lane: lane, epoch: journal.progress.epoch, sequence: line.sequence,
                        at: Timestamp(milliseconds: line.at))
                }.sorted { ($0.requester, $0.lane) < ($1.requester, $1.lane) }
            }
        }
    }
}

/// By the second, how far lanes were acked by the broker and receipted by consumers: for whoever asks what became of an
/// event. Pruned with the events that they tell of.
enum Marks {
    /// Within the caller's transaction.
    static func put(_ lane: Lane, _ sequence: Int64, who: String, _ journal: Journal) throws {
        try put(lane, sequence, who: who, epoch: journal.ordinal, at: journal.now, journal)
    }

    static func put(
        _ lane: Lane, _ sequence: Int64, who: String, epoch: Int64, at: Timestamp, _ journal: Journal
    ) throws {
        let upsert = journal.statements.putMark
        upsert.bind(1, epoch)
        upsert.bind(2, Int64(lane.rawValue))
        upsert.bind(3, text: who)
        upsert.bind(4, at.milliseconds / 1_000)
        upsert.bind(5, sequence)
        try upsert.run()
    }

    static let upsertSQL = """
        INSERT INTO marks VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO UPDATE SET sequence = max(sequence, excluded.sequence)
        """

    /// Takes away those of events that are gone, at most `limit` in all, in one transaction; how many went.
    static func prune(_ journal: Journal, limit: Int) throws -> Int {
        let connection = journal.connection
        let kept = try AckedLane.epochs(journal.upkeep).sorted()
        var count = 0
        try connection.transaction {
            for epoch in try ended(before: kept.first ?? 0, connection) + kept {
                for lane in Lane.allCases where count < limit {
                    let bound = kept.contains(epoch) ? try bound(epoch, lane, connection) : .max
                    count += try delete(epoch, lane, below: bound, limit: limit - count, connection)
                }
            }
        }
        return count
    }

    /// Epochs of which no event is kept, and marks are.
    private static func ended(before first: Int64, _ connection: Connection) throws -> [Int64] {
        let select = try connection.prepare(
            """
            WITH RECURSIVE ended(epoch) AS (SELECT min(epoch) FROM marks UNION ALL
                SELECT (SELECT min(epoch) FROM marks WHERE epoch > ended.epoch) FROM ended WHERE epoch < ?1)
            SELECT epoch FROM ended WHERE epoch < ?1
            """)
        select.bind(1, first)
        var epochs: [Int64] = []
        while try select.step() { epochs.append(select.integer(0)) }
        return epochs
    }

    /// The lowest sequence that a mark may still tell of.
    private static func bound(_ epoch: Int64, _ lane: Lane, _ connection: Connection) throws -> Int64 {
        let start = Slot(epoch: epoch, lane: lane, sequence: 0).packed
        let first = try connection.integer(
            "SELECT coalesce(min(slot), 0) FROM events WHERE slot > \(start) AND slot < \(start + 1 << 44)")
        if first > 0 { return first - start }
        let acked = "SELECT acked FROM lanes WHERE epoch = \(epoch) AND lane = \(lane.rawValue)"
        return try connection.integer(acked) + 1
    }

    /// By name, so that the index leads to the lowest sequences: an IN over the whole key would look at all marks of a lane.
    private static func delete(
        _ epoch: Int64, _ lane: Lane, below bound: Int64, limit: Int, _ connection: Connection
    ) throws -> Int {
        var count = 0
        for who in try names(connection, epoch: epoch, lane: lane) {
            let place = "epoch = ?1 AND lane = ?2 AND who = ?3"
            let delete = try connection.prepare(
                """
                DELETE FROM marks WHERE \(place) AND second IN
                    (SELECT second FROM marks WHERE \(place) AND sequence < ?4 ORDER BY sequence LIMIT ?5)
                """)
            delete.bind(1, epoch)
            delete.bind(2, Int64(lane.rawValue))
            delete.bind(3, text: who)
            delete.bind(4, bound)
            delete.bind(5, Int64(limit - count))
            try delete.run()
            count += connection.changes
        }
        return count
    }

    /// Who left marks: one step in the index a name.
    static func names(_ connection: Connection, epoch: Int64, lane: Lane) throws -> [String] {
        let place = "epoch = \(epoch) AND lane = \(lane.rawValue)"
        let select = try connection.prepare(
            """
            WITH RECURSIVE names(who) AS (SELECT min(who) FROM marks WHERE \(place) UNION ALL
                SELECT (SELECT min(who) FROM marks WHERE \(place) AND who > names.who) FROM names WHERE who IS NOT NULL)
            SELECT who FROM names WHERE who IS NOT NULL
            """)
        var names: [String] = []
        while try select.step() { names.append(select.text(0) ?? "") }
        return names
    }
}

extension OutboxReader {
    /// Since when an event counts as acked (`who` is empty) and as receipted, by whom; to the second.
    package func marks(lane: Lane, of epoch: Epoch, sequence: Int64) throws -> [(who: String, at: Timestamp)] {
        try read {
            guard let ordinal = try ordinal(of: epoch) else { return [] }
            let select = try connection.prepare(
                """
                SELECT second FROM marks WHERE epoch = ?1 AND lane = ?2 AND who = ?3 AND sequence >= ?4
                ORDER BY sequence LIMIT 1
                """)
            var marks: [(who: String, at: Timestamp)] = []
            for who in try Marks.names(connection, epoch: ordinal, lane: lane) {
                select.bind(1, ordinal)
                select.bind(2, Int64(lane.rawValue))
                select.bind(3, text: who)
                select.bind(4, sequence)
                if try select.step() { marks.append((who, Timestamp(milliseconds: select.integer(0) * 1_000))) }
                select.reset()
            }
            return marks
        }
    }
}
