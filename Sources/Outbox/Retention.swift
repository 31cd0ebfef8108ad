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
    /// Reading is paused for want of room: every free page goes back to the disk.
    let isShort: Bool

    static let step = 1_000
    private static let sparePages: Int64 = 512

    private var upkeep: Upkeep { journal.upkeep }

    /// How many rows went; 0 when there was nothing to do.
    func prune() throws -> Int {
        let isChanged = upkeep.progress != journal.progress
        // After an error everything is looked at again.
        upkeep.progress = nil
        var count = 0
        if isChanged || upkeep.hasMoreEvents || trustsAge && now.milliseconds > upkeep.eventsDue {
            let events = try pruneEvents()
            if events > 0 { upkeep.hasMoreMarks = true }
            count += events
        }
        if upkeep.hasMoreMarks { count += try pruneMarks() }
        if isChanged || upkeep.hasMoreLogs { count += try pruneLogs() }
        if count > 0 || upkeep.mayPruneCaptures { count += try pruneCaptures() }
        let seen = SeenRetention(journal: journal, options: options, now: now, trustsAge: trustsAge)
        if isChanged || seen.isDue { count += try seen.prune() }
        if isChanged || count > 0 || upkeep.hasFreePages || isShort { try returnPages() }
        try emptyLog()
        upkeep.progress = journal.progress
        return count
    }

    private func pruneMarks() throws -> Int {
        let count = try Marks.prune(journal, limit: Self.step)
        upkeep.hasMoreMarks = count >= Self.step
        // They go with their events, which are counted; more than one step has to be come back for.
        return upkeep.hasMoreMarks ? count : 0
    }

    private func pruneLogs() throws -> Int {
        let audit = try AuditLog.prune(journal.connection, limit: Self.step)
        let commands = try CommandLog.prune(journal.connection, now: now, limit: Self.step)
        upkeep.hasMoreLogs = max(audit, commands) == Self.step
        return audit + commands
    }

    /// Free pages beyond those that the next events will need anyway: giving a page back moves another one, so an eighth
    /// of the file stays while there is room.
    private func returnPages() throws {
        let spare = isShort ? 0 : max(Self.sparePages, try upkeep.pages() / 8)
        let excess = try upkeep.freePageCount() - spare
        if excess > 0 { try journal.connection.execute("PRAGMA incremental_vacuum(\(min(excess, 256)))") }
        upkeep.hasFreePages = excess > 256
    }

    /// Hardly waits for a reader: the writer's lock is held meanwhile, and there is a next time.
    private func emptyLog() throws {
        guard Self.walBytes(journal) > options.walLimitBytes else { return }
        let (frames, done) = try journal.connection.checkpoint(truncate: false)
        guard frames == done else { return }
        try journal.connection.execute("PRAGMA busy_timeout = 50")
        defer { try? journal.connection.execute("PRAGMA busy_timeout = 5000") }
        try journal.connection.checkpoint(truncate: true)
    }

    /// Oldest capture first over all epochs and lanes; looks at one row a lane when there is nothing to do.
    private func pruneEvents() throws -> Int {
        defer { upkeep.resetRows() }
        var lanes = try AckedLane.all(upkeep) { epoch, lane, acked in
            min(acked, journal.receipts.bound(epoch: epoch, lane: lane, waitingFor: options.waitReceipt))
        }
        var excess = lanes.reduce(0) { $0 + $1.kept } - options.keepBytes
        let oldest = now.milliseconds - options.keepMilliseconds
        var slots: [Int64] = []
        var latest = Int64.min
        upkeep.eventsDue = .max
        upkeep.hasMoreEvents = false
        while let index = lanes.indices.min(by: { lanes[$0].order < lanes[$1].order }), let row = lanes[index].next {
            guard excess > 0 || trustsAge && row.at < oldest else {
                upkeep.eventsDue = row.at + options.keepMilliseconds
                break
            }
            guard slots.count < Self.step else {
                upkeep.hasMoreEvents = true
                break
            }
            slots.append(row.slot)
            latest = max(latest, row.at)
            excess -= row.size
            try lanes[index].take()
        }
        guard !slots.isEmpty else { return 0 }
        upkeep.resetRows()
        try journal.connection.transaction {
            let delete = try journal.connection.prepare("DELETE FROM events WHERE slot = ?1")
            for slot in slots {
                delete.bind(1, slot)
                try delete.run()
            }
            for lane in lanes where lane.taken > 0 { try lane.store(journal.connection) }
            try journal.connection.execute(
                """
                INSERT INTO facts VALUES ('pruned_to', '\(latest)') ON CONFLICT(name)
                    DO UPDATE SET value = max(CAST(value AS INTEGER), \(latest))
                """)
        }
        return slots.count
    }

    /// Captures before every event that is still there; the last one stays, so that no id comes twice.
    private func pruneCaptures() throws -> Int {
        upkeep.mayPruneCaptures = false
        var (first, bound) = try captureRange()
        guard first < bound else { return 0 }
        for epoch in try AckedLane.epochs(upkeep) {
            for lane in Lane.allCases {
                let start = Slot(epoch: epoch, lane: lane, sequence: 0).packed
                let select = upkeep.firstCapture
                select.bind(1, start)
                select.bind(2, start + 1 << 44)
                defer { select.reset() }
                if try select.step() { bound = min(bound, select.integer(0)) }
            }
        }
        guard first < bound else { return 0 }
        try journal.connection.execute(
            "DELETE FROM captures WHERE id IN (SELECT id FROM captures WHERE id < \(bound) ORDER BY id LIMIT \(Self.step))"
        )
        first += Int64(journal.connection.changes)
        upkeep.mayPruneCaptures = first < bound
        return journal.connection.changes
    }

    private func captureRange() throws -> (first: Int64, last: Int64) {
        let select = upkeep.captureRange
        defer { select.reset() }
        return try select.step() ? (select.integer(0), select.integer(1)) : (0, 0)
    }

    /// Used pages and the write-ahead log, in bytes: a pruned file does not shrink at once.
    static func usage(_ journal: Journal) throws -> Int64 {
        try journal.upkeep.usedPages() * journal.upkeep.pageSize + walBytes(journal)
    }

    static func walBytes(_ journal: Journal) -> Int64 {
        var status = stat()
        return stat(journal.path + "-wal", &status) == 0 ? Int64(status.st_size) : 0
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
struct AckedLane {
    let epoch: Int64
    let lane: Int64
    let kept: Int64
    let rows: Statement
    private(set) var next: (slot: Int64, capture: Int64, at: Int64, size: Int64)?
    private(set) var taken: Int64 = 0

    /// A lane without rows comes last.
    var order: Int64 { next?.capture ?? .max }

    /// `bound`: up to which sequence of an epoch's lane events may go, given what is acked.
    static func all(_ upkeep: Upkeep, bound: (Int64, Int64, Int64) -> Int64) throws -> [AckedLane] {
        let select = upkeep.ackedLanes
        defer { select.reset() }
        var lanes: [AckedLane] = []
        while try select.step() {
            let rows = try upkeep.rows(lanes.count)
            let start = select.integer(0) << 48 | select.integer(1) << 44
            rows.bind(1, start)
            rows.bind(2, start + bound(select.integer(0), select.integer(1), select.integer(2)))
            var lane = AckedLane(
                epoch: select.integer(0), lane: select.integer(1), kept: select.integer(3), rows: rows)
            try lane.step()
            lanes.append(lane)
        }
        return lanes
    }

    static func epochs(_ upkeep: Upkeep) throws -> [Int64] {
        let select = upkeep.epochs
        defer { select.reset() }
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

extension Outbox {
    /// What a directory's filesystem has left for this user; very many where that cannot be known.
    package static func freeBytes(_ directory: String) -> Int64 {
        var status = statvfs()
        guard statvfs(directory, &status) == 0 else { return .max }
        return Int64(status.f_bavail) * Int64(status.f_frsize)
    }
}
