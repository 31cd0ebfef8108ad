import Inventory
import SQLite

/// What pruning knows from one call to the next: its statements, and what can have something to do again. An idle turn
/// asks the file nothing. Belongs to the journal, and to its lock.
final class Upkeep {
    /// As of the last look; nil: something else was written since that may have to be pruned.
    var progress: Progress?
    /// Since this wall time an acked event is too old.
    var eventsDue = Int64.min
    /// The last look took as much as one may take.
    var hasMoreEvents = false
    /// Events went since marks were last looked at, or there were too many marks for one step.
    var hasMoreMarks = true
    /// The same of audit log and command log.
    var hasMoreLogs = true
    var mayPruneCaptures = true
    var hasFreePages = true
    var seen = SeenRetention.State()

    let pageSize: Int64
    let ackedLanes, epochs, captureRange, firstCapture, pageCount, freePages: Statement
    let seenDays, sweepDue, oldSeen: Statement
    private let connection: Connection
    private var rows: [Statement] = []

    init(_ connection: Connection) throws {
        self.connection = connection
        pageSize = try connection.integer("PRAGMA page_size")
        pageCount = try connection.prepare("PRAGMA page_count")
        freePages = try connection.prepare("PRAGMA freelist_count")
        ackedLanes = try connection.prepare("SELECT epoch, lane, acked, kept FROM lanes WHERE kept > 0")
        epochs = try connection.prepare(
            "SELECT DISTINCT epoch FROM lanes WHERE kept > 0 OR epoch = (SELECT max(ordinal) FROM epochs)")
        captureRange = try connection.prepare(
            "SELECT (SELECT coalesce(min(id), 0) FROM captures), (SELECT coalesce(max(id), 0) FROM captures)")
        firstCapture = try connection.prepare(
            "SELECT capture FROM events WHERE slot > ?1 AND slot < ?2 ORDER BY slot LIMIT 1")
        seenDays = try connection.prepare("SELECT day, count FROM seen_days WHERE source = ?1 ORDER BY day")
        sweepDue = try connection.prepare("SELECT id, horizon FROM sources WHERE horizon > swept LIMIT 1")
        oldSeen = try connection.prepare(
            "SELECT key, day FROM seen WHERE source = ?1 AND key > ?2 ORDER BY key LIMIT ?3")
    }

    /// The statement that reads the acked events of the n-th lane; reset it, or the log cannot be emptied.
    func rows(_ index: Int) throws -> Statement {
        while rows.count <= index {
            rows.append(
                try connection.prepare(
                    """
                    SELECT slot, capture, (SELECT at FROM captures WHERE id = capture), length(payload) FROM events
                    WHERE slot > ?1 AND slot <= ?2 ORDER BY slot
                    """))
        }
        return rows[index]
    }

    func resetRows() { for statement in rows { statement.reset() } }

    func pages() throws -> Int64 { try Self.value(pageCount) }

    /// The pages that hold something.
    func usedPages() throws -> Int64 { try pages() - freePageCount() }

    func freePageCount() throws -> Int64 { try Self.value(freePages) }

    private static func value(_ statement: Statement) throws -> Int64 {
        defer { statement.reset() }
        return try statement.step() ? statement.integer(0) : 0
    }
}
