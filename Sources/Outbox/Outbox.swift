import Glibc
package import Inventory
import SQLite
import Synchronization

// The journal between the sources and the broker, in one SQLite file.
//
//   1. Events, their sequences, balances, rejections and the new checkpoint commit together or not at all.
//   2. Sequences are contiguous within an epoch and never reused, also after pruning: the head is stored.
//   3. Reading never deletes.
//   4. The acked watermark only rises, and only past contiguous acks.
//   5. A new, restored or rolled-back outbox starts a new epoch.
//
// One writer connection behind one lock; readers have connections of their own. What memory mirrors changes after
// COMMIT returned. After an I/O error the connection is closed and all is read again from the file; a damaged file is
// set aside, said so by an error, and a new epoch begun above the old one.

package final class Outbox: Sendable {
    private struct Writer {
        /// Nil while the file could not be opened again after an error, and once it is closed.
        var journal: Journal?
        var isPaused = false
        var isClosed = false
        /// Whoever captures has to ask where its sources begin first, for this reason.
        var mustReopenSources: OutboxError?
        /// What `verify` found; nothing more is captured into the file, and it is set aside once all of it is acked.
        var damage: String?
        var clock = ClockGuard()
        /// The greatest of the last times that a caller gave.
        var now: Timestamp
    }

    private struct Mirror {
        var progress: Progress
        var hasTree = false
        /// +1 with each file that is set aside.
        var life = 0
        var asides: [String] = []
    }

    private let settings: Mutex<OutboxOptions>
    package var options: OutboxOptions { settings.withLock { $0 } }
    /// A random id minted with the file, shown to people.
    package let instance: String
    /// Whether the last run ended with `close()`, or there was none: otherwise `verify()` is worth its time.
    package let wasClosed: Bool
    private let lock: DataDirectoryLock
    private let writer: Mutex<Writer>
    private let mirror: Mutex<Mirror>

    /// Opens the outbox of a data directory, or begins one. A file that cannot be read is set aside and a new epoch
    /// begun (`asides`); one of a newer version is refused untouched.
    package init(_ options: OutboxOptions, now: Timestamp) throws {
        lock = try DataDirectoryLock(directory: options.directory)
        settings = Mutex(options)
        let opened = try Opening(options: options, now: now).open(above: [])
        let journal = opened.journal
        instance = try journal.fact("instance") ?? ""
        wasClosed = try Self.takeClosedMark(journal) || opened.isNew
        mirror = Mutex(Mirror(progress: journal.progress, asides: opened.aside.map { [$0] } ?? []))
        writer = Mutex(Writer(journal: journal, now: now))
    }

    /// Other limits and retention than those that it was opened with; all else of `options` stays.
    package func adopt(limitsOf other: OutboxOptions) throws {
        settings.withLock { options in
            options.limitBytes = other.limitBytes
            options.reserveBytes = other.reserveBytes
            options.keepMilliseconds = other.keepMilliseconds
            options.keepBytes = other.keepBytes
            options.waitReceipt = other.waitReceipt
        }
        try write { $0.upkeep.progress = nil }
    }

    package var path: String { FileSet(directory: options.directory).path }

    /// Damaged files that this run set aside, oldest first.
    package var asides: [String] { mirror.withLock { $0.asides } }

    /// `verify` found damage, and the file is still in use.
    var isDamaged: Bool { writer.withLock { $0.damage != nil } }

    var life: Int { mirror.withLock { $0.life } }

    private static func takeClosedMark(_ journal: Journal) throws -> Bool {
        guard try journal.fact("closed") != nil else { return false }
        try journal.connection.transaction { try journal.forgetFact("closed") }
        return true
    }

    /// Whether the stock tree is whole; never waits for a commit.
    package var hasTree: Bool { mirror.withLock { $0.hasTree } }

    /// What is durable as of the last commit; never waits for one.
    package var progress: Progress { mirror.withLock { $0.progress } }

    // MARK: writing

    /// Commits batches in their order, all or nothing; durable on return.
    package func append(_ batches: [CaptureBatch], now: Timestamp) throws -> AppendResult {
        try write(now, capturing: true) { journal in
            var appender = Appender(journal: journal, rules: options.rules, now: now)
            return try appender.append(batches)
        }
    }

    /// Raises watermarks: only up, never past the head. Those of another epoch than `epoch` count other events and are
    /// ignored.
    package func acknowledge(_ watermarks: [Lane: Int64], of epoch: Epoch? = nil, now: Timestamp? = nil) throws {
        try write(now) { journal in
            var progress = journal.progress
            if let epoch, epoch != progress.epoch { return }
            try journal.connection.transaction {
                for (lane, sequence) in watermarks {
                    let line = progress.lanes[lane]
                    guard sequence > line.acked else { continue }
                    let acked = min(sequence, line.head)
                    progress.lanes[lane].acked = acked
                    let size = journal.statements.sizeOf
                    size.bind(1, Slot(epoch: journal.ordinal, lane: lane, sequence: line.acked).packed)
                    size.bind(2, Slot(epoch: journal.ordinal, lane: lane, sequence: acked).packed)
                    defer { size.reset() }
                    let update = journal.statements.ackLane
                    update.bind(4, try size.step() ? size.integer(0) : 0)
                    update.bind(1, acked)
                    update.bind(2, journal.ordinal)
                    update.bind(3, Int64(lane.rawValue))
                    try update.run()
                    try Marks.put(lane, acked, who: "", journal)
                }
            }
            journal.progress = progress
        }
    }

    /// Prunes at most 1,000 rows a transaction; returns how many went, so that the caller comes again while there are
    /// some. With the monotonic time too, age counts only while the clocks agree (`ClockGuard`).
    package func prune(now: Timestamp, monotonic: Int64? = nil) throws -> Int {
        let (trustsAge, isShort, isDamaged) = writer.withLock { writer in
            let trusts = monotonic.map { writer.clock.trusts(wall: now.milliseconds, monotonic: $0) } ?? true
            return (trusts, writer.isPaused, writer.damage != nil)
        }
        if isDamaged { return 0 }
        return try write(now) {
            try Retention(journal: $0, options: options, now: now, trustsAge: trustsAge, isShort: isShort).prune()
        }
    }

    /// The step of the wall clock that makes age-based pruning wait, in milliseconds; 0 when it does not.
    package var clockStep: Int64 { writer.withLock { $0.clock.step } }

    /// Replaces an event that cannot be sent by a tombstone under its sequence; the original is kept as a dead letter.
    /// The sequence of another epoch than `epoch` names another event and throws `unknownSequence`.
    package func skip(
        lane: Lane, sequence: Int64, of epoch: Epoch? = nil, reason: String, now: Timestamp
    ) throws {
        try write(now) { journal in
            if let epoch, epoch != journal.progress.epoch { throw OutboxError.otherEpoch(epoch) }
            let slot = Slot(epoch: journal.ordinal, lane: lane, sequence: sequence).packed
            try Tombstones.put(slot: slot, journal: journal, reason: reason, now: now)
        }
    }

    /// A new epoch above all in `above`; what is not acked moves into it in order, with its id.
    /// `actor`: who wanted it, for the audit log.
    package func startEpoch(
        above: [Epoch], reason: String, now: Timestamp, actor: String = "agent"
    ) throws -> Epoch {
        try write(now) { try Epochs.start($0, above: above, reason: reason, actor: actor, now: now) }
    }

    /// Says that the run ends in order, and lets go of the file. Every later call that needs it throws `closed`.
    package func close() throws {
        try write { journal in
            try journal.connection.transaction { try journal.setFact("closed", "1") }
        }
        writer.withLock { writer in
            writer.journal = nil
            writer.isClosed = true
        }
        lock.release()
    }

    // MARK: looking

    /// Where each source begins. Whoever captures asks first, and again after `setAside`: until then `append` refuses.
    package func openSources(_ names: [String]) throws -> [String: SourceStart] {
        writer.withLock { $0.mustReopenSources = nil }
        return try write { journal in
            try journal.connection.transaction { try SourceStarts.open(names, journal) }
        }
    }

    /// Where one source begins that is opened again beside others that go on. Throws `setAside` where all of them have to
    /// be opened anew: alone it would take from the others that nobody knows where they stood.
    package func reopenSource(_ name: String) throws -> SourceStart? {
        try write(capturing: true) { journal in
            try journal.connection.transaction { try SourceStarts.open([name], journal)[name] }
        }
    }

    /// Whether sources may be read; pauses at the limit or the disk reserve and opens again with hysteresis. A file in
    /// which `verify` found damage pauses too, and once all of it is acked throws `setAside`.
    package func room() throws -> Room {
        if let damage = try leaveDamaged() { return .paused(damage) }
        let usage = try write { try Retention.usage($0) }
        let free = Self.freeBytes(options.directory)
        return writer.withLock { writer in
            let decision = RoomRule(limit: options.limitBytes, reserve: options.reserveBytes)
                .decide(used: usage, free: free, isPaused: writer.isPaused)
            writer.isPaused = decision != .open
            return decision
        }
    }

    /// A connection for one reading thread.
    package func reader() throws -> OutboxReader {
        let life = life
        do { return try OutboxReader(self, life: life) } catch let error as SQLiteError where error.isCorrupt {
            throw readerFound(error, life: life)
        }
    }

    /// Problems that SQLite's quick check finds in the whole file, beside the writer; empty is healthy. It may take a
    /// second a gigabyte, and the write-ahead log grows meanwhile. With problems, reading pauses (`room`).
    package func verify() throws -> [String] {
        let reader = try reader()
        let problems = try reader.quickCheck()
        guard let first = problems.first else { return [] }
        writer.withLock { if reader.life == self.life { $0.damage = first } }
        return problems
    }

    /// Why nothing may be captured into the file at hand; nil when it is sound.
    private func leaveDamaged() throws -> String? {
        try writer.withLock { writer in
            guard let damage = writer.damage else { return nil }
            let isAllAcked = progress.backlog == 0
            if isAllAcked {
                writer.journal = nil
                throw setAside(&writer, SQLiteError(code: 11, message: damage, operation: "check the outbox"))
            }
            return "paused: the outbox is damaged (\(damage)); what it holds is published first, then a new one begins"
        }
    }

    /// Gives cached pages and balances back: for a quiet moment, the next commits read some of them again.
    package func releaseMemory() throws {
        try write { journal in
            journal.balances = BalanceCache()
            journal.connection.releaseMemory()
        }
    }

    // MARK: opening again

    func write<T>(
        _ now: Timestamp? = nil, capturing: Bool = false, reopening: Bool = false, _ body: (Journal) throws -> sending T
    ) throws -> sending T {
        try writer.withLock { writer in
            if let now { writer.now = now }
            try open(&writer)
            if capturing, let reason = writer.mustReopenSources { throw reason }
            do {
                // Bound in this scope alone, so that nothing keeps the file open while `recover` opens it again.
                guard let journal = writer.journal else { throw OutboxError.closed }
                journal.now = writer.now
                let result = try body(journal)
                if reopening, writer.mustReopenSources == nil { writer.mustReopenSources = .reopen }
                let progress = journal.progress
                let hasTree = journal.tree.isBuilt
                mirror.withLock { mirror in
                    mirror.progress = progress
                    mirror.hasTree = hasTree
                }
                return result
            } catch {
                throw recover(&writer, from: error)
            }
        }
    }

    /// Opens the file again after an error. Throws `setAside` once when a new one had to be begun.
    private func open(_ writer: inout Writer) throws {
        guard writer.journal == nil, !writer.isClosed else { return }
        let opened = try Opening(options: options, now: writer.now).open(above: [progress.epoch])
        let progress = opened.journal.progress
        writer.journal = opened.journal
        mirror.withLock { $0.progress = progress }
        if let aside = opened.aside { throw begun(&writer, aside: aside, OutboxError.begunAnew) }
    }

    private func recover(_ writer: inout Writer, from error: any Error) -> any Error {
        guard let failure = error as? SQLiteError, failure.isCorrupt || failure.isIOError else {
            if writer.journal?.isStale == true { writer.journal = nil }
            return error
        }
        writer.journal = nil
        if failure.isCorrupt { return setAside(&writer, failure) }
        // When it cannot be opened now, the next call tries again.
        do { try open(&writer) } catch let error as OutboxError where error.code == .setAside { return error } catch {}
        return failure
    }

    /// A reader met damage in the file of that life.
    func readerFound(_ error: SQLiteError, life: Int) -> any Error {
        writer.withLock { writer in
            guard life == self.life else { return OutboxError.begunAnew }
            writer.journal = nil
            return setAside(&writer, error)
        }
    }

    private func setAside(_ writer: inout Writer, _ error: SQLiteError) -> any Error {
        do {
            let aside = try FileSet(directory: options.directory).setAside(now: writer.now)
            let answer = begun(&writer, aside: aside, OutboxError.setAside(aside, because: error))
            try open(&writer)
            return answer
        } catch {
            return error
        }
    }

    private func begun(_ writer: inout Writer, aside: String, _ answer: OutboxError) -> OutboxError {
        writer.mustReopenSources = .begunAnew
        writer.damage = nil
        mirror.withLock { mirror in
            mirror.life += 1
            mirror.asides.append(aside)
        }
        return answer
    }
}
