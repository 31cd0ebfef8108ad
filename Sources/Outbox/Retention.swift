import Glibc
import Inventory
import SQLite

/// Takes away what is acked and old, or acked and too much, in small steps: never more than 1,000 rows a transaction.
struct Retention {
    let journal: Journal
    let options: OutboxOptions
    let now: Timestamp
    /// False while the clock is not believed: only size counts then.
    let trustsAge: Bool

    static let step = 1_000
    private static let walLimit: Int64 = 64 << 20

    /// How many rows went; 0 when there was nothing to do.
    func prune() throws -> Int {
        var count = try pruneEvents()
        count += try pruneCaptures()
        count += try SeenRetention(journal: journal, options: options, now: now, trustsAge: trustsAge).prune()
        if try journal.connection.integer("PRAGMA freelist_count") > 0 {
            try journal.connection.execute("PRAGMA incremental_vacuum(256)")
        }
        if Self.walBytes(journal) > Self.walLimit { try journal.connection.checkpoint(truncate: true) }
        return count
    }

    /// Oldest capture first over all epochs and lanes; looks at one row a lane when there is nothing to do.
    private func pruneEvents() throws -> Int {
        var lanes = try AckedLane.all(journal.connection)
        var excess = lanes.reduce(0) { $0 + $1.kept } - options.keepBytes
        let oldest = now.milliseconds - options.keepMilliseconds
        var slots: [Int64] = []
        while slots.count < Self.step, let index = lanes.indices.min(by: { lanes[$0].order < lanes[$1].order }),
            let row = lanes[index].next
        {
            guard excess > 0 || trustsAge && row.at < oldest else { break }
            slots.append(row.slot)
            excess -= row.size
            try lanes[index].take()
        }
        guard !slots.isEmpty else { return 0 }
        for index in lanes.indices { lanes[index].rows.reset() }
        try journal.connection.transaction {
            let delete = try journal.connection.prepare("DELETE FROM events WHERE slot = ?1")
            for slot in slots {
                delete.bind(1, slot)
                try delete.run()
            }
            for lane in lanes where lane.taken > 0 { try lane.store(journal.connection) }
        }
        return slots.count
    }

    /// Captures before every event that is still there; the last one stays, so that no id comes twice.
    private func pruneCaptures() throws -> Int {
        let connection = journal.connection
        let first = try connection.integer("SELECT coalesce(min(id), 0) FROM captures")
        var bound = try connection.integer("SELECT coalesce(max(id), 0) FROM captures")
        guard first < bound else { return 0 }
        let select = try connection.prepare(
            "SELECT capture FROM events WHERE slot > ?1 AND slot < ?2 ORDER BY slot LIMIT 1")
        for epoch in try AckedLane.epochs(connection) {
            for lane in Lane.allCases {
                let start = Slot(epoch: epoch, lane: lane, sequence: 0).packed
                select.bind(1, start)
                select.bind(2, start + 1 << 44)
                if try select.step() { bound = min(bound, select.integer(0)) }
                select.reset()
            }
        }
        guard first < bound else { return 0 }
        try connection.execute(
            "DELETE FROM captures WHERE id IN (SELECT id FROM captures WHERE id < \(bound) ORDER BY id LIMIT \(Self.step))"
        )
        return connection.changes
    }

    /// Used pages and the write-ahead log, in bytes: a pruned file does not shrink at once.
    static func usage(_ journal: Journal) throws -> Int64 {
        let connection = journal.connection
        let pages = try connection.integer("PRAGMA page_count") - connection.integer("PRAGMA freelist_count")
        return pages * (try connection.integer("PRAGMA page_size")) + walBytes(journal)
    }

    static func walBytes(_ journal: Journal) -> Int64 {
        var status = stat()
        return stat(journal.path + "-wal", &status) == 0 ? Int64(status.st_size) : 0
    }

    static func freeBytes(_ directory: String) -> Int64 {
        var status = statvfs()
        guard statvfs(directory, &status) == 0 else { return .max }
        return Int64(status.f_bavail) * Int64(status.f_frsize)
    }

    static func positions(_ journal: Journal) throws -> [(source: String, position: String)] {
        var oldest = Int64.max
        for lane in Lane.allCases {
            let line = journal.progress.lanes[lane]
            guard line.acked < line.head else { continue }
            let slot = Slot(epoch: journal.ordinal, lane: lane, sequence: line.acked + 1).packed
            oldest = min(oldest, try journal.connection.integer("SELECT capture FROM events WHERE slot = \(slot)"))
        }
        let select = try journal.connection.prepare(
            """
            SELECT source, coalesce((SELECT position FROM captures
                WHERE captures.source = checkpoints.source AND id >= ?1 ORDER BY id LIMIT 1), position) FROM checkpoints
            """)
        select.bind(1, oldest)
        var positions: [(source: String, position: String)] = []
        while try select.step() { positions.append((select.text(0) ?? "", select.text(1) ?? "")) }
        return positions
    }
}

/// The acked events of one lane of one epoch, from the oldest on.
private struct AckedLane {
    let epoch: Int64
    let lane: Int64
    let kept: Int64
    let rows: Statement
    private(set) var next: (slot: Int64, capture: Int64, at: Int64, size: Int64)?
    private(set) var taken: Int64 = 0

    /// A lane without rows comes last.
    var order: Int64 { next?.capture ?? .max }

    static func all(_ connection: Connection) throws -> [AckedLane] {
        let select = try connection.prepare("SELECT epoch, lane, acked, kept FROM lanes WHERE kept > 0")
        var lanes: [AckedLane] = []
        while try select.step() {
            let rows = try connection.prepare(
                """
                SELECT slot, capture, (SELECT at FROM captures WHERE id = capture), length(payload) FROM events
                WHERE slot > ?1 AND slot <= ?2 ORDER BY slot
                """)
            let start = select.integer(0) << 48 | select.integer(1) << 44
            rows.bind(1, start)
            rows.bind(2, start + select.integer(2))
            var lane = AckedLane(
                epoch: select.integer(0), lane: select.integer(1), kept: select.integer(3), rows: rows)
            try lane.step()
            lanes.append(lane)
        }
        return lanes
    }

    static func epochs(_ connection: Connection) throws -> [Int64] {
        let select = try connection.prepare(
            "SELECT DISTINCT epoch FROM lanes WHERE kept > 0 OR epoch = (SELECT max(ordinal) FROM epochs)")
        var epochs: [Int64] = []
        while try select.step() { epochs.append(select.integer(0)) }
        return epochs
    }

    private init(epoch: Int64, lane: Int64, kept: Int64, rows: Statement) {
        self.epoch = epoch
        self.lane = lane
        self.kept = kept
        self.rows = rows
    }

    mutating func take() throws {
        taken += next?.size ?? 0
        try step()
    }

    private mutating func step() throws {
        let isThere = try rows.step()
        next = isThere ? (rows.integer(0), rows.integer(1), rows.integer(2), rows.integer(3)) : nil
    }

    func store(_ connection: Connection) throws {
        try connection.execute("UPDATE lanes SET kept = kept - \(taken) WHERE epoch = \(epoch) AND lane = \(lane)")
    }
}
