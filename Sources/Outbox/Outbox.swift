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
// COMMIT returned. After an I/O error in COMMIT the connection is closed and all is read again from the file.

package final class Outbox: Sendable {
    private struct Writer {
        var journal: Journal
        var isPaused = false
    }

    package let options: OutboxOptions
    /// A random id minted with the file, shown to people.
    package let instance: String
    private let lock: DataDirectoryLock
    private let writer: Mutex<Writer>
    private let mirror: Mutex<Progress>

    /// Opens the outbox of a data directory, or begins one. A file that cannot be read is set aside and a new epoch
    /// begun; one of a newer version is refused untouched.
    package init(_ options: OutboxOptions, now: Timestamp) throws {
        lock = try DataDirectoryLock(directory: options.directory)
        self.options = options
        let journal = try Self.openJournal(options, now: now)
        instance = try journal.fact("instance") ?? ""
        mirror = Mutex(journal.progress)
        writer = Mutex(Writer(journal: journal))
    }

    package var path: String { Self.path(options) }

    private static func path(_ options: OutboxOptions) -> String { options.directory + "/outbox.sqlite" }

    private static func openJournal(_ options: OutboxOptions, now: Timestamp) throws -> sending Journal {
        do { return try makeJournal(options, now: now) } catch let error as SQLiteError where error.isCorrupt {
            let aside = path(options) + ".corrupt-\(now.milliseconds)"
            for suffix in ["", "-wal", "-shm"] { rename(path(options) + suffix, aside + suffix) }
            return try makeJournal(options, now: now)
        }
    }

    private static func makeJournal(_ options: OutboxOptions, now: Timestamp) throws -> sending Journal {
        try Journal(
            path: path(options), options: options,
            mintEpoch: { Epoch.mint(now: now, above: [], random: .random(in: 0...UInt16.max)) },
            mintInstance: { hexText(.random(in: 0...UInt64.max)) })
    }

    /// What is durable as of the last commit; never waits for one.
    package var progress: Progress { mirror.withLock { $0 } }

    // MARK: writing

    /// Commits batches in their order, all or nothing; durable on return.
    package func append(_ batches: [CaptureBatch], now: Timestamp) throws -> AppendResult {
        try write { journal in
            var appender = Appender(journal: journal, rules: options.rules, now: now)
            return try appender.append(batches)
        }
    }

    /// Raises watermarks: only up, never past the head.
    package func acknowledge(_ watermarks: [Lane: Int64]) throws {
        try write { journal in
            var progress = journal.progress
            try journal.connection.transaction {
                for (lane, sequence) in watermarks {
                    guard let line = progress.lanes[lane], sequence > line.acked else { continue }
                    let acked = min(sequence, line.head)
                    progress.lanes[lane]?.acked = acked
                    let update = journal.statements.ackLane
                    update.bind(1, acked)
                    update.bind(2, journal.ordinal)
                    update.bind(3, Int64(lane.rawValue))
                    try update.run()
                }
            }
            journal.progress = progress
        }
    }

    /// Prunes at most 1,000 events in one transaction; returns how many, so that the caller comes again while there are
    /// some.
    package func prune(now: Timestamp) throws -> Int {
        try write { try Retention(journal: $0, options: options, now: now).prune() }
    }

    /// Replaces an event that cannot be sent by a tombstone under its sequence; the original is kept as a dead letter.
    package func skip(lane: Lane, sequence: Int64, reason: String, now: Timestamp) throws {
        try write { journal in
            let slot = Slot(epoch: journal.ordinal, lane: lane, sequence: sequence).packed
            try Tombstones.put(slot: slot, journal: journal, reason: reason, now: now)
        }
    }

    /// A new epoch above all in `above`; what is not acked moves into it in order, with its id.
    package func startEpoch(above: [Epoch], reason: String, now: Timestamp) throws -> Epoch {
        try write { journal in
            try Epochs(journal: journal).start(above: above, reason: reason, now: now)
        }
    }

    /// A session greater than the last stored one and than `above`; stored on return.
    package func mintSession(now: Timestamp, above: String?) throws -> String {
        try write { journal in
            let known = max(try journal.fact("session") ?? "", above ?? "")
            let session = SessionName.mint(now: now, above: known)
            try journal.setFact("session", session)
            return session
        }
    }

    /// The number of the next beacon; it and the session are stored on return.
    package func nextBeacon(session: String) throws -> Int64 {
        try write { journal in
            let number = (Int64(try journal.fact("beacon") ?? "") ?? 0) + 1
            try journal.connection.transaction {
                try journal.setFact("beacon", String(number))
                try journal.setFact("beacon_session", session)
            }
            return number
        }
    }

    /// The beacon that was committed last; number 0 before the first.
    package func lastBeacon() throws -> (number: Int64, session: String) {
        try write { journal in
            (Int64(try journal.fact("beacon") ?? "") ?? 0, try journal.fact("beacon_session") ?? "")
        }
    }

    package func discardReject(_ id: Int64) throws {
        try write { try $0.connection.execute("DELETE FROM rejects WHERE id = \(id)") }
    }

    // MARK: looking

    package func checkpoint(of source: String) throws -> Checkpoint? {
        try write { journal in
            let select = try journal.connection.prepare("SELECT kind, text, position FROM checkpoints WHERE source = ?1")
            select.bind(1, text: source)
            guard try select.step() else { return nil }
            return Checkpoint(
                kind: select.text(0) ?? "", text: select.text(1) ?? "", position: select.text(2) ?? "")
        }
    }

    /// Where a new outbox would have to begin, by source: before the oldest capture that is not wholly acked.
    package func sourcePositions() throws -> [(source: String, position: String)] {
        try write { try Retention.positions($0) }
    }

    /// Whether sources may be read; pauses at the limit or the disk reserve and opens again with hysteresis.
    package func room() throws -> Room {
        try writer.withLock { writer in
            let usage = try Retention.usage(writer.journal)
            let free = Retention.freeBytes(options.directory)
            let decision = RoomRule(limit: options.limitBytes, reserve: options.reserveBytes)
                .decide(used: usage, free: free, isPaused: writer.isPaused)
            writer.isPaused = decision != .open
            return decision
        }
    }

    /// A connection for one reading thread.
    package func reader() throws -> OutboxReader { try OutboxReader(path: path) }

    private func write<T>(_ body: (Journal) throws -> sending T) throws -> sending T {
        try writer.withLock { writer in
            do {
                let result = try body(writer.journal)
                let progress = writer.journal.progress
                mirror.withLock { $0 = progress }
                return result
            } catch {
                if writer.journal.connection.isBroken {
                    writer.journal = try Self.makeJournal(options, now: Timestamp(milliseconds: 0))
                }
                throw error
            }
        }
    }
}
