import Glibc
import Inventory
import SQLite

/// Takes away what is acked and old, or acked and too much, in small steps.
struct Retention {
    let journal: Journal
    let options: OutboxOptions
    let now: Timestamp

    private static let step: Int64 = 1_000
    private static let walLimit: Int64 = 64 << 20
    private static let seenDays: Int64 = 45

    func prune() throws -> Int {
        try journal.dropSeen(before: now.milliseconds / 86_400_000 - Self.seenDays)
        var count = 0
        try journal.connection.transaction {
            let isBeyond = try Self.usage(journal) > options.keepBytes
            for lane in Lane.allCases where count < Self.step {
                count += try prune(lane, anyAge: isBeyond, most: Self.step - Int64(count))
            }
        }
        try journal.connection.execute("PRAGMA incremental_vacuum(256)")
        if Self.walBytes(journal) > Self.walLimit { try journal.connection.checkpoint(truncate: true) }
        return count
    }

    private func prune(_ lane: Lane, anyAge: Bool, most: Int64) throws -> Int {
        let acked = journal.progress.lanes[lane]?.acked ?? 0
        let first = Slot(epoch: journal.ordinal, lane: lane, sequence: 0).packed
        let last = Slot(epoch: journal.ordinal, lane: lane, sequence: acked).packed
        let oldest = now.milliseconds - options.keepMilliseconds
        let delete = try journal.connection.prepare(
            """
            DELETE FROM events WHERE slot IN (
                SELECT slot FROM events WHERE slot > ?1 AND slot <= ?2
                AND (?3 OR capture IN (SELECT id FROM captures WHERE at < ?4))
                ORDER BY slot LIMIT ?5)
            """)
        delete.bind(1, first)
        delete.bind(2, last)
        delete.bind(3, anyAge ? 1 : 0)
        delete.bind(4, oldest)
        delete.bind(5, most)
        try delete.run()
        return journal.connection.changes
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
        for (lane, line) in journal.progress.lanes where line.acked < line.head {
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
