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

    /// Names come from the configuration's list; were it changed often, the oldest of more than these go.
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

    /// Up to which sequence events of an epoch's lane may be pruned. In an older epoch a requester that went on to a later
    /// one is waited for no longer: what it lacked it asked for, or counts as lost.
    func bound(epoch: Int64, lane: Int64, waitingFor requester: String?) -> Int64 {
        guard let requester else { return .max }
        if lines.keys.contains(where: { $0.requester == requester && $0.epoch > epoch }) { return .max }
        return lines[Key(requester: requester, epoch: epoch, lane: lane)]?.sequence ?? 0
    }
}

extension Outbox {
    /// Stores receipts together; the highest of a requester's lane counts, and an unknown epoch's none. Durable on return.
    package func take(_ receipts: [Receipt]) throws {
        try write { journal in
            var mirror = journal.receipts
            try journal.connection.transaction {
                for receipt in receipts { try Self.put(receipt, &mirror, journal) }
            }
            journal.receipts = mirror
            journal.upkeep.progress = nil
        }
    }

    private static func put(_ receipt: Receipt, _ mirror: inout ReceiptMirror, _ journal: Journal) throws {
        let find = try journal.connection.prepare("SELECT ordinal FROM epochs WHERE text = ?1")
        find.bind(1, text: receipt.epoch.text)
        guard try find.step() else { return }
        let key = ReceiptMirror.Key(
            requester: receipt.requester, epoch: find.integer(0), lane: Int64(receipt.lane.rawValue))
        let known = Set(mirror.lines.keys.map(\.requester))
        guard known.contains(receipt.requester) || known.count < ReceiptMirror.mostRequesters else { return }
        guard receipt.sequence > mirror[key]?.sequence ?? 0 else { return }
        mirror[key] = .init(sequence: receipt.sequence, at: receipt.at.milliseconds)
        let insert = try journal.connection.prepare("INSERT OR REPLACE INTO receipts VALUES (?1, ?2, ?3, ?4, ?5)")
        insert.bind(1, text: receipt.requester)
        insert.bind(2, key.epoch)
        insert.bind(3, key.lane)
        insert.bind(4, receipt.sequence)
        insert.bind(5, receipt.at.milliseconds)
        try insert.run()
        try Marks.put(receipt.lane, receipt.sequence, who: receipt.requester, epoch: key.epoch, at: receipt.at, journal)
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

    static func prune(_ journal: Journal, limit: Int) throws {
        for epoch in try AckedLane.epochs(journal.upkeep) {
            for lane in Lane.allCases {
                let start = Slot(epoch: epoch, lane: lane, sequence: 0).packed
                let oldest = try journal.connection.integer(
                    "SELECT coalesce(min(slot), \(start)) FROM events WHERE slot > \(start) AND slot < \(start + 1 << 44)"
                )
                try journal.connection.execute(
                    """
                    DELETE FROM marks WHERE (epoch, lane, who, second) IN (SELECT epoch, lane, who, second FROM marks
                        WHERE epoch = \(epoch) AND lane = \(lane.rawValue) AND sequence < \(oldest - start) LIMIT \(limit))
                    """)
            }
        }
    }
}

extension OutboxReader {
    /// Since when an event counts as acked (`who` is empty) and as receipted, by whom; to the second.
    package func marks(lane: Lane, of epoch: Epoch, sequence: Int64) throws -> [(who: String, at: Timestamp)] {
        try read {
            let select = try connection.prepare(
                """
                SELECT who, min(second) FROM marks WHERE epoch = (SELECT ordinal FROM epochs WHERE text = ?1)
                    AND lane = ?2 AND sequence >= ?3 GROUP BY who
                """)
            select.bind(1, text: epoch.text)
            select.bind(2, Int64(lane.rawValue))
            select.bind(3, sequence)
            var marks: [(who: String, at: Timestamp)] = []
            while try select.step() {
                marks.append((select.text(0) ?? "", Timestamp(milliseconds: select.integer(1) * 1_000)))
            }
            return marks
        }
    }
}
