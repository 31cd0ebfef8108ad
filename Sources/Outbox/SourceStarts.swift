package import Inventory
import SQLite

/// What has to be known of a source before it is read.
package struct SourceStart: Sendable, Equatable {
    /// Where it goes on; nil: it was never read by this outbox.
    package var checkpoint: Checkpoint?
    /// The name of the damaged outbox file that knew where it stood. While nothing of the source was read since, its
    /// reading begins with the oldest line that is there, whatever its configuration says of a first start.
    package var lostWith: String?
    /// It is not to be read.
    package var pause: SourcePause?
    /// While there is no checkpoint: files changed since then are read, whatever its configuration says of a first start.
    package var rewind: Timestamp?
    /// What a technician said to what the source held.
    package var decision: HoldDecision?
    /// A check that was asked for last.
    package var reconcile: ReconcileRequest?

    package init(checkpoint: Checkpoint? = nil, lostWith: String? = nil) {
        self.checkpoint = checkpoint
        self.lostWith = lostWith
    }
}

// An outbox that was begun after damage carries the fact `begun_after` until capture asks for its sources the first
// time. It then goes over to each of them as a fact of its own, so that a source that is configured later begins as
// any new one does.

enum SourceStarts {
    /// Within the caller's transaction.
    static func open(_ names: [String], _ journal: Journal) throws -> [String: SourceStart] {
        let begunAfter = try journal.fact("begun_after")
        var starts: [String: SourceStart] = [:]
        for name in names {
            let checkpoint = try checkpoint(of: name, journal.connection)
            if let begunAfter, checkpoint == nil { try journal.setFact("lost_with:\(name)", begunAfter) }
            var start = SourceStart(checkpoint: checkpoint, lostWith: try journal.fact("lost_with:\(name)"))
            start.pause = try SourceControls.pause(of: name, journal.connection)
            start.decision = try SourceControls.decision(of: name, journal)
            start.reconcile = try SourceControls.reconcile(of: name, journal)
            if checkpoint == nil { start.rewind = try SourceControls.rewind(of: name, journal) }
            starts[name] = start
        }
        if begunAfter != nil { try journal.forgetFact("begun_after") }
        return starts
    }

    static func checkpoint(of source: String, _ connection: Connection) throws -> Checkpoint? {
        let select = try connection.prepare("SELECT kind, text, position FROM checkpoints WHERE source = ?1")
        select.bind(1, text: source)
        guard try select.step() else { return nil }
        return Checkpoint(kind: select.text(0) ?? "", text: select.text(1) ?? "", position: select.text(2) ?? "")
    }
}
