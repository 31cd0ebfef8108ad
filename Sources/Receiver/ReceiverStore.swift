import CLinux
import Glibc
package import Inventory
import SQLite

// The consumer's file. Everything that a turn changes is written into one open transaction, which `commit` makes durable:
// offsets and effects together or not at all. After an error the file is opened again, by whoever starts the receiver anew.

package final class ReceiverStore {
    package struct LogEntry: Sendable {
        package var at: Timestamp
        package var site: String
        /// `gap`, `filled`, `lost`, `epoch`, `fork`, `drift`, `snapshot`, `refused`, `malformed`.
        package var kind: String
        package var lane: String?
        package var epoch: String?
        package var first: Int64?
        package var last: Int64?
        package var words: String
    }

    struct SiteRow {
        var id: Int64
        var identity: SiteIdentity
        var mark: Int64
        var snapshot: String?
        /// What is to be resynced next, as JSON.
        var scopes: String?
        var retention: Int64
    }

    struct LaneRow {
        var lane: Lane
        var last: Int64
        var goal: Int64?
        var receipted: Int64
    }

    let connection: Connection
    private let lock: Int32
    private(set) var isOpen = false
    let insertID, findID, findSeen, insertEvent, putLane, insertLog, putFact: Statement

    private static let mostLog: Int64 = 10_000

    /// Makes the file where there is none. Throws `ReceiverError` when another receiver has it.
    package init(path: String, programVersion: String) throws {
        lock = waybill_open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard lock >= 0 else {
            throw ReceiverError(
                "cannot open \(path).lock: \(String(cString: strerror(errno)))",
                hint: "the directory must be there and belong to this user")
        }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw ReceiverError(
                "another receiver has \(path) open", hint: "stop that one, or give this one a --db of its own")
        }
        do {
            connection = try Connection.openWriter(path: path)
            try ReceiverSchema.migrator(programVersion).migrate(connection, backupPath: path + ".backup")
            insertID = try connection.prepare("INSERT OR REPLACE INTO ids VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
            findID = try connection.prepare("SELECT id FROM ids WHERE epoch = ?1 AND lane = ?2 AND sequence = ?3")
            findSeen = try connection.prepare("SELECT record FROM seen WHERE site = ?1 AND id = ?2")
            insertEvent = try connection.prepare("INSERT INTO events(site, at, payload) VALUES (?1, ?2, ?3)")
            putLane = try connection.prepare("INSERT OR REPLACE INTO lanes VALUES (?1, ?2, ?3, ?4, ?5)")
            insertLog = try connection.prepare(
                "INSERT INTO log(site, at, kind, lane, epoch, first, last, words) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
            )
            putFact = try connection.prepare("INSERT OR REPLACE INTO facts VALUES (?1, ?2)")
        } catch {
            close(lock)
            throw error
        }
    }

    deinit {
        // A child that is being started holds a copy until it is another program: closing alone would leave it locked.
        flock(lock, LOCK_UN)
        close(lock)
    }

    // MARK: the transaction

    /// Before any write of a turn.
    func begin() throws {
        guard !isOpen else { return }
        try connection.execute("BEGIN IMMEDIATE")
        isOpen = true
    }

    /// Durable on return.
    func commit() throws {
        guard isOpen else { return }
        try connection.execute("COMMIT")
        isOpen = false
    }

    // MARK: sites, epochs, lanes

    func sites() throws -> [SiteRow] {
        let rows = try connection.prepare("SELECT id, tenant, site, mark, snapshot, scopes, retention FROM sites")
        var found: [SiteRow] = []
        while try rows.step() {
            guard let identity = SiteIdentity(tenant: rows.text(1) ?? "", site: rows.text(2) ?? "") else { continue }
            found.append(
                SiteRow(
                    id: rows.integer(0), identity: identity, mark: rows.integer(3), snapshot: rows.text(4),
                    scopes: rows.text(5), retention: rows.integer(6)))
        }
        return found
    }

    func add(_ site: SiteIdentity, retention: Int64) throws -> SiteRow {
        let insert = try connection.prepare("INSERT INTO sites(tenant, site, mark, retention) VALUES (?1, ?2, 0, ?3)")
        insert.bind(1, text: site.tenant)
        insert.bind(2, text: site.site)
        insert.bind(3, retention)
        try insert.run()
        return SiteRow(
            id: connection.lastInsertRowID, identity: site, mark: 0, snapshot: nil, scopes: nil, retention: retention)
    }

    func update(_ row: SiteRow) throws {
        let update = try connection.prepare(
            "UPDATE sites SET mark = ?2, snapshot = ?3, retention = ?4, scopes = ?5 WHERE id = ?1")
        update.bind(1, row.id)
        update.bind(2, row.mark)
        if let snapshot = row.snapshot { update.bind(3, text: snapshot) } else { update.bindNull(3) }
        update.bind(4, row.retention)
        if let scopes = row.scopes { update.bind(5, text: scopes) } else { update.bindNull(5) }
        try update.run()
    }

    /// What the site's beacon said last, for the views.
    func note(beacon: String, of site: Int64) throws {
        let update = try connection.prepare("UPDATE sites SET beacon = ?2 WHERE id = ?1")
        update.bind(1, site)
        update.bind(2, text: beacon)
        try update.run()
    }

    /// The site's epochs by their numbers, which rise with them.
    func epochs(of site: Int64) throws -> [(number: Int64, epoch: Epoch)] {
        let rows = try connection.prepare("SELECT id, text FROM epochs WHERE site = ?1 ORDER BY id")
        rows.bind(1, site)
        var found: [(number: Int64, epoch: Epoch)] = []
        while try rows.step() {
            if let epoch = rows.text(1).flatMap({ Epoch($0) }) { found.append((rows.integer(0), epoch)) }
        }
        return found
    }

    func add(_ epoch: Epoch, of site: Int64) throws -> Int64 {
        let insert = try connection.prepare("INSERT INTO epochs(site, text) VALUES (?1, ?2)")
        insert.bind(1, site)
        insert.bind(2, text: epoch.text)
        try insert.run()
        return connection.lastInsertRowID
    }

    func lanes(of epoch: Int64) throws -> [LaneRow] {
        let rows = try connection.prepare("SELECT lane, last, goal, receipted FROM lanes WHERE epoch = ?1")
        rows.bind(1, epoch)
        var found: [LaneRow] = []
        while try rows.step() {
            guard let lane = Lane(rawValue: UInt8(rows.integer(0))) else { continue }
            found.append(
                LaneRow(
                    lane: lane, last: rows.integer(1), goal: rows.isNull(2) ? nil : rows.integer(2),
                    receipted: rows.integer(3)))
        }
        return found
    }

    func put(_ row: LaneRow, epoch: Int64) throws {
        putLane.bind(1, epoch)
        putLane.bind(2, Int64(row.lane.rawValue))
        putLane.bind(3, row.last)
        if let goal = row.goal { putLane.bind(4, goal) } else { putLane.bindNull(4) }
        putLane.bind(5, row.receipted)
        try putLane.run()
    }

    /// Nothing of an ended epoch is missing any more.
    func settle(epoch: Int64) throws { try connection.execute("DELETE FROM lanes WHERE epoch = \(epoch)") }

    // MARK: ids

    func note(_ event: ReceivedEventMark, epoch: Int64, lane: Lane, sequence: Int64, at: Timestamp) throws {
        insertID.bind(1, epoch)
        insertID.bind(2, Int64(lane.rawValue))
        insertID.bind(3, sequence)
        insertID.bind(5, Int64(bitPattern: event.record))
        insertID.bind(6, at.milliseconds)
        try withUnsafeBytes(of: (event.id.high.bigEndian, event.id.low.bigEndian)) { id in
            insertID.bind(4, blob: id)
            try insertID.run()
        }
    }

    func id(epoch: Int64, lane: Lane, sequence: Int64) throws -> EventID? {
        findID.bind(1, epoch)
        findID.bind(2, Int64(lane.rawValue))
        findID.bind(3, sequence)
        defer { findID.reset() }
        guard try findID.step() else { return nil }
        return findID.withBytes(0) { bytes in
            EventID(
                high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
    }

    /// From now on the epoch's events count as seen, wherever they come again.
    func rememberAsSeen(epoch: Int64, site: Int64) throws {
        try connection.execute(
            "INSERT OR IGNORE INTO seen SELECT \(site), id, record, at FROM ids WHERE epoch = \(epoch) ORDER BY id")
    }

    /// Counts as seen from now on: what an earlier epoch still waits for may be the same.
    func noteSeen(_ event: ReceivedEventMark, site: Int64, at: Timestamp) throws {
        let insert = try connection.prepare("INSERT OR IGNORE INTO seen VALUES (?1, ?2, ?3, ?4)")
        insert.bind(1, site)
        insert.bind(3, Int64(bitPattern: event.record))
        insert.bind(4, at.milliseconds)
        try withUnsafeBytes(of: (event.id.high.bigEndian, event.id.low.bigEndian)) { id in
            insert.bind(2, blob: id)
            try insert.run()
        }
    }

    func hasSeen(_ site: Int64) throws -> Bool {
        try connection.integer("SELECT count(*) FROM (SELECT 1 FROM seen WHERE site = \(site) LIMIT 1)") > 0
    }

    func wasSeen(_ event: ReceivedEventMark, site: Int64) throws -> Bool {
        findSeen.bind(1, site)
        defer { findSeen.reset() }
        return try withUnsafeBytes(of: (event.id.high.bigEndian, event.id.low.bigEndian)) { id in
            findSeen.bind(2, blob: id)
            return try findSeen.step() && UInt64(bitPattern: findSeen.integer(0)) == event.record
        }
    }

    // MARK: events to print

    /// The event's number.
    func keep(_ payload: UnsafeRawBufferPointer, site: Int64, at: Timestamp) throws -> Int64 {
        insertEvent.bind(1, site)
        insertEvent.bind(2, at.milliseconds)
        insertEvent.bind(3, blob: payload)
        try insertEvent.run()
        return connection.lastInsertRowID
    }

    /// Kept events after a number, at most 1,000.
    func events(after number: Int64) throws -> [(number: Int64, payload: [UInt8])] {
        let rows = try connection.prepare(
            "SELECT number, payload FROM events WHERE number > ?1 ORDER BY number LIMIT 1000")
        rows.bind(1, number)
        var found: [(number: Int64, payload: [UInt8])] = []
        while try rows.step() { found.append((rows.integer(0), rows.bytes(1))) }
        return found
    }

    /// Somebody prints what this file holds.
    var isPrinted: Bool {
        get throws { try connection.integer("SELECT count(*) FROM facts WHERE name = 'printed'") > 0 }
    }

    var printed: Int64 {
        get throws { Int64(try connection.text("SELECT value FROM facts WHERE name = 'printed'") ?? "") ?? 0 }
    }

    func setPrinted(_ number: Int64) throws {
        putFact.bind(1, text: "printed")
        putFact.bind(2, text: "\(number)")
        try putFact.run()
    }

    // MARK: log and pruning

    func log(_ entry: LogEntry, site: Int64) throws {
        insertLog.bind(1, site)
        insertLog.bind(2, entry.at.milliseconds)
        insertLog.bind(3, text: entry.kind)
        for (column, text) in [(4, entry.lane), (5, entry.epoch)] as [(Int32, String?)] {
            if let text { insertLog.bind(column, text: text) } else { insertLog.bindNull(column) }
        }
        for (column, number) in [(6, entry.first), (7, entry.last)] as [(Int32, Int64?)] {
            if let number { insertLog.bind(column, number) } else { insertLog.bindNull(column) }
        }
        insertLog.bind(8, text: String(entry.words.prefix(500)))
        try insertLog.run()
    }

    private static let step = 1_000
    private static let steps = 20

    /// Takes away what is old, in steps of 1,000 rows, each from the oldest on: nothing is looked through. `keepEvents` nil:
    /// printed events go at once.
    func prune(now: Timestamp, keepEvents: Int64?, retention: Int64) throws {
        let printed = try printed
        let age = keepEvents.map { now.milliseconds - $0 } ?? .max
        for _ in 0..<Self.steps {
            try connection.execute(
                """
                DELETE FROM events WHERE number IN (SELECT number FROM
                    (SELECT number, at FROM events ORDER BY number LIMIT \(Self.step))
                    WHERE number <= \(printed) AND at < \(age))
                """)
            if connection.changes < Self.step { break }
        }
        try connection.execute(
            """
            DELETE FROM log WHERE number IN (SELECT number FROM log
                WHERE number <= (SELECT coalesce(max(number), 0) FROM log) - \(Self.mostLog) LIMIT \(Self.step));
            DELETE FROM seen WHERE (site, id) IN (SELECT site, id FROM seen
                WHERE at < \(now.milliseconds - retention) ORDER BY at LIMIT \(Self.step));
            """)
        try pruneSettledEpoch()
    }

    /// Ids of an epoch of which nothing is missing: they count as seen, in a table of their own.
    private func pruneSettledEpoch() throws {
        let epoch = try connection.integer("SELECT min(id) FROM epochs WHERE id NOT IN (SELECT epoch FROM lanes)")
        guard epoch > 0 else { return }
        try connection.execute(
            """
            DELETE FROM ids WHERE (epoch, lane, sequence) IN (SELECT epoch, lane, sequence FROM ids
                WHERE epoch = \(epoch) LIMIT \(Self.step))
            """)
        if connection.changes == 0 { try connection.execute("DELETE FROM epochs WHERE id = \(epoch)") }
    }

    /// Ids of a lane beyond the last 10,000 that are older than the retention too, at most 1,000.
    func pruneIDs(epoch: Int64, lane: Lane, last: Int64, olderThan: Int64) throws {
        let place = "epoch = \(epoch) AND lane = \(lane.rawValue)"
        try connection.execute(
            """
            DELETE FROM ids WHERE \(place) AND sequence IN (SELECT sequence FROM
                (SELECT sequence, at FROM ids WHERE \(place) ORDER BY sequence LIMIT \(Self.step))
                WHERE sequence <= \(last - 10_000) AND at < \(olderThan))
            """)
    }
}

/// What of an event makes it the same event.
struct ReceivedEventMark {
    var id: EventID
    var record: UInt64
}

package struct ReceiverError: Error, Sendable, CustomStringConvertible {
    package let message: String
    package let hint: String

    init(_ message: String, hint: String) {
        self.message = message
        self.hint = hint
    }

    package var description: String { "\(message); \(hint)" }
}
