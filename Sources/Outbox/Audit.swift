package import Inventory
import SQLite

/// Who did what: every repair, refusal and new epoch. Bounded; for people.
package struct AuditEntry: Sendable, Equatable {
    /// 0 until it is stored.
    package var id: Int64 = 0
    package var at: Timestamp
    /// Such as `requester ops`, `user anna (1000)`, `agent`.
    package var actor: String
    package var action: String
    package var subject: String
    package var outcome: String

    package init(at: Timestamp, actor: String, action: String, subject: String, outcome: String) {
        self.at = at
        self.actor = actor
        self.action = action
        self.subject = subject
        self.outcome = outcome
    }
}

enum AuditLog {
    static let mostEntries: Int64 = 100_000
    private static let longestText = 1_000

    /// Within the caller's transaction.
    static func insert(_ entry: AuditEntry, _ connection: Connection) throws {
        let insert = try connection.prepare(
            "INSERT INTO audit(at, actor, action, subject, outcome) VALUES (?1, ?2, ?3, ?4, ?5)")
        insert.bind(1, entry.at.milliseconds)
        for (index, text) in [entry.actor, entry.action, entry.subject, entry.outcome].enumerated() {
            let cut =
                text.utf8.count <= longestText ? text : String(decoding: text.utf8.prefix(longestText), as: UTF8.self)
            insert.bind(Int32(index + 2), text: cut)
        }
        try insert.run()
    }

    /// The newest first.
    static func list(_ connection: Connection, before id: Int64, since: Int64, limit: Int64) throws -> [AuditEntry] {
        let select = try connection.prepare(
            """
            SELECT id, at, actor, action, subject, outcome FROM audit WHERE id < ?1 AND at >= ?2
            ORDER BY id DESC LIMIT ?3
            """)
        select.bind(1, id)
        select.bind(2, since)
        select.bind(3, limit)
        var entries: [AuditEntry] = []
        while try select.step() {
            var entry = AuditEntry(
                at: Timestamp(milliseconds: select.integer(1)), actor: select.text(2) ?? "",
                action: select.text(3) ?? "", subject: select.text(4) ?? "", outcome: select.text(5) ?? "")
            entry.id = select.integer(0)
            entries.append(entry)
        }
        return entries
    }

    /// How many went.
    static func prune(_ connection: Connection, limit: Int) throws -> Int {
        let bound = try connection.integer("SELECT coalesce(max(id), 0) FROM audit") - mostEntries
        guard bound > 0 else { return 0 }
        try connection.execute(
            "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id <= \(bound) LIMIT \(limit))")
        return connection.changes
    }
}

extension Outbox {
    /// Durable on return.
    package func record(_ entry: AuditEntry) throws {
        try write { journal in
            try journal.connection.transaction { try AuditLog.insert(entry, journal.connection) }
            journal.upkeep.progress = nil
        }
    }
}

extension OutboxReader {
    /// The newest first, before an entry and not before a moment; at most `limit` (1,000).
    package func audit(
        before id: Int64? = nil, since: Timestamp? = nil, limit: Int64 = 100
    ) throws -> [AuditEntry] {
        precondition((1...1_000).contains(limit))
        return try read {
            try AuditLog.list(connection, before: id ?? .max, since: since?.milliseconds ?? .min, limit: limit)
        }
    }
}
