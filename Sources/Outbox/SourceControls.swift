package import Inventory
import SQLite

/// Who stopped the reading of a source, and when.
package struct SourcePause: Sendable, Equatable {
    package var actor: String
    package var at: Timestamp
}

// What technicians decide of a source is a fact in the outbox, so that it outlives a restart: `paused:<source>` is the
// moment and the actor, `rewind:<source>` the first moment whose files count, until a checkpoint is stored again,
// `decision:<source>` what was said to a held content, `reconcile:<source>` the check that was asked for last.

enum SourceControls {
    static func pause(of source: String, _ connection: Connection) throws -> SourcePause? {
        let parts = try Journal.fact("paused:\(source)", connection)?.split(separator: " ", maxSplits: 1)
        guard let parts, parts.count == 2, let at = Int64(parts[0]) else { return nil }
        return SourcePause(actor: String(parts[1]), at: Timestamp(milliseconds: at))
    }

    static func decision(of source: String, _ journal: Journal) throws -> HoldDecision? {
        let parts = try journal.fact("decision:\(source)")?.split(separator: " ", maxSplits: 1)
        guard let parts, parts.count == 2 else { return nil }
        return HoldDecision(id: String(parts[1]), isAccepted: parts[0] == "accept")
    }

    static func reconcile(of source: String, _ journal: Journal) throws -> ReconcileRequest? {
        let parts = try journal.fact("reconcile:\(source)")?.split(separator: " ")
        guard let parts, parts.count == 2, let at = Int64(parts[0]) else { return nil }
        return ReconcileRequest(at: Timestamp(milliseconds: at), isFix: parts[1] == "fix")
    }

    static func rewind(of source: String, _ journal: Journal) throws -> Timestamp? {
        try journal.fact("rewind:\(source)").flatMap { Int64($0) }.map { Timestamp(milliseconds: $0) }
    }
}

extension Outbox {
    /// The source is not read from the next `openSources` on, whatever happens to the agent. Durable on return.
    package func pauseSource(_ name: String, actor: String, now: Timestamp) throws {
        try control(name, "pause", actor: actor, now: now, outcome: "paused") { journal in
            try journal.setFact("paused:\(name)", "\(now.milliseconds) \(actor)")
        }
    }

    /// False when it was not paused. Durable on return.
    package func resumeSource(_ name: String, actor: String, now: Timestamp) throws -> Bool {
        guard try reader().sourcePause(name) != nil else { return false }
        try control(name, "resume", actor: actor, now: now, outcome: "resumed") { journal in
            try journal.forgetFact("paused:\(name)")
        }
        return true
    }

    /// Says whether what a source holds is to be read; durable on return, and counts for that very content.
    package func decideHold(_ name: String, _ decision: HoldDecision, actor: String, now: Timestamp) throws {
        let verb = decision.isAccepted ? "accept" : "reject"
        try control(name, verb, actor: actor, now: now, outcome: "\(verb)ed \(decision.id)") { journal in
            try journal.setFact("decision:\(name)", "\(verb) \(decision.id)")
        }
    }

    /// Has a source hold its last full export against the stock again; durable on return.
    package func reconcile(_ name: String, _ request: ReconcileRequest, actor: String) throws {
        let verb = request.isFix ? "fix" : "check"
        try control(name, "reconcile", actor: actor, now: request.at, outcome: verb) { journal in
            try journal.setFact("reconcile:\(name)", "\(request.at.milliseconds) \(verb)")
        }
    }

    /// Forgets where the source stands: it is read again, files that were last changed before `moment` left out. What is
    /// being captured of any source just now is refused: `append` throws `reopen` until sources are opened again. Records
    /// that the outbox has seen give no second event; those of which that cannot be known become rejects (`uncertain`).
    /// Durable on return.
    package func rewindSource(_ name: String, to moment: Timestamp, words: String, actor: String, now: Timestamp) throws
    {
        try control(name, "rewind", actor: actor, now: now, outcome: "read again from \(words)") { journal in
            let delete = try journal.connection.prepare("DELETE FROM checkpoints WHERE source = ?1")
            delete.bind(1, text: name)
            try delete.run()
            try journal.setFact("rewind:\(name)", "\(moment.milliseconds)")
            try journal.setFact("rewound:\(name)", "\(now.milliseconds)")
            journal.sources[name]?.rewoundAt = now.milliseconds
        }
    }

    /// A source whose reading is being changed is opened anew with all others, so that nothing read before counts.
    private func control(
        _ source: String, _ action: String, actor: String, now: Timestamp, outcome: String,
        _ change: (Journal) throws -> Void
    ) throws {
        try write(now, reopening: true) { journal in
            try journal.connection.transaction {
                try change(journal)
                let entry = AuditEntry(at: now, actor: actor, action: action, subject: source, outcome: outcome)
                try AuditLog.insert(entry, journal.connection)
            }
            journal.upkeep.progress = nil
        }
    }
}

extension OutboxReader {
    /// Nil while it may be read.
    package func sourcePause(_ name: String) throws -> SourcePause? {
        try read { try SourceControls.pause(of: name, connection) }
    }

    /// Nil before anything of it was read, and while it is to be read again.
    package func checkpoint(of source: String) throws -> Checkpoint? {
        try read { try SourceStarts.checkpoint(of: source, connection) }
    }
}
