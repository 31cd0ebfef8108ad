package import Inventory
import SQLite

/// Sessions and beacons.
extension Outbox {
    /// A session greater than the last stored one and than `above`; stored on return.
    package func mintSession(now: Timestamp, above: String?) throws -> String {
        try write(now) { journal in
            let known = max(try journal.fact("session") ?? "", above ?? "")
            let session = SessionName.mint(now: now, above: known)
            try journal.connection.transaction { try journal.setFact("session", session) }
            return session
        }
    }

    /// The number of the next beacon, and what it tells; number and session are stored on return.
    package func nextBeacon(session: String) throws -> BeaconFacts {
        try write { journal in
            let number = (Int64(try journal.fact("beacon") ?? "") ?? 0) + 1
            try journal.connection.transaction {
                try journal.setFact("beacon", String(number))
                try journal.setFact("beacon_session", session)
            }
            return BeaconFacts(number: number, progress: journal.progress, root: journal.tree.root())
        }
    }

    /// The beacon that was committed last; number 0 before the first.
    package func lastBeacon() throws -> (number: Int64, session: String) {
        try write { journal in
            (Int64(try journal.fact("beacon") ?? "") ?? 0, try journal.fact("beacon_session") ?? "")
        }
    }
}

/// What a beacon tells of one commit.
package struct BeaconFacts: Sendable {
    package var number: Int64
    package var progress: Progress
    /// Nil until the stock tree is built.
    package var root: Digest?
}

/// Rejects.
extension Outbox {
    /// Removes rejects for good, at most 1,000, together with `audit`, whose subject tells which; returns how many of them
    /// were open.
    package func discard(_ ids: [Int64], audit: AuditEntry? = nil) throws -> Int {
        precondition(ids.count <= 1_000)
        return try write { journal in
            let count = try journal.connection.transaction {
                let count = try Rejects.delete(ids, journal)
                if count > 0, let audit { try AuditLog.insert(audit, journal.connection) }
                return count
            }
            journal.upkeep.progress = nil
            return count
        }
    }

    /// Appends what a mended record gives and removes its reject, together with `audit`. Throws `OutboxError` (`stillRejected`), and
    /// keeps the reject, when the record is rejected again.
    package func resolve(
        _ reject: Int64, with record: CapturedRecord, now: Timestamp, audit: AuditEntry? = nil
    ) throws -> AppendResult {
        try write(now) { journal in
            guard let stored = try Rejects.find(reject, journal.connection) else {
                throw OutboxError.unknownReject(reject)
            }
            var appender = Appender(journal: journal, rules: options.rules, now: now)
            return try appender.resolve(stored, with: record, audit: audit)
        }
    }
}

/// Where sources stand.
extension Outbox {
    package func checkpoint(of source: String) throws -> Checkpoint? {
        try write { try SourceStarts.checkpoint(of: source, $0.connection) }
    }

    /// Where a new outbox would have to begin, by source: before the oldest capture that is not wholly acked.
    package func sourcePositions() throws -> [(source: String, position: String)] {
        try write { try Retention.positions($0) }
    }
}
