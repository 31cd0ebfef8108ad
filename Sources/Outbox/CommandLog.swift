package import Inventory
import SQLite

/// A command that is begun.
package struct LoggedCommand: Sendable {
    package var id: String
    package var requester: String
    package var verb: String
    package var at: Timestamp

    package init(id: String, requester: String, verb: String, at: Timestamp) {
        self.id = id
        self.requester = requester
        self.verb = verb
        self.at = at
    }
}

package enum CommandSighting: Sendable, Equatable {
    case new
    /// It was begun and never ended: it is to be run again.
    case unfinished
    case ended(reply: [UInt8])
}

enum CommandLog {
    private static let mostCommands: Int64 = 10_000
    private static let keptMilliseconds: Int64 = 7 * 86_400_000

    static func find(_ command: LoggedCommand, _ connection: Connection) throws -> CommandSighting {
        let select = try connection.prepare("SELECT reply FROM commands WHERE requester = ?1 AND id = ?2")
        select.bind(1, text: command.requester)
        select.bind(2, text: command.id)
        guard try select.step() else { return .new }
        return select.isNull(0) ? .unfinished : .ended(reply: select.bytes(0))
    }

    static func prune(_ connection: Connection, now: Timestamp, limit: Int) throws -> Int {
        let newest = try connection.integer("SELECT coalesce(max(number), 0) FROM commands")
        let oldest = try connection.prepare("SELECT number, at FROM commands ORDER BY number LIMIT 1")
        guard try oldest.step(),
            oldest.integer(0) <= newest - mostCommands || oldest.integer(1) < now.milliseconds - keptMilliseconds
        else { return 0 }
        oldest.reset()
        try connection.execute(
            """
            DELETE FROM commands WHERE number IN (SELECT number FROM commands
                WHERE number <= \(newest - mostCommands) OR at < \(now.milliseconds - keptMilliseconds)
                ORDER BY number LIMIT \(limit))
            """)
        return connection.changes
    }
}

extension OutboxReader {
    /// The last reply to a command that ended before; nil for any other.
    package func reply(to command: LoggedCommand) throws -> [UInt8]? {
        try read {
            guard case .ended(let reply) = try CommandLog.find(command, connection) else { return nil }
            return reply
        }
    }
}

extension Outbox {
    /// Notes a command before its work begins; durable on return. The entry is written unless the command ended before.
    package func begin(_ command: LoggedCommand, audit: AuditEntry?) throws -> CommandSighting {
        try write { journal in
            let connection = journal.connection
            let sighting = try CommandLog.find(command, connection)
            if case .ended = sighting { return sighting }
            try connection.transaction {
                let insert = try connection.prepare(
                    "INSERT OR IGNORE INTO commands(requester, id, verb, at) VALUES (?1, ?2, ?3, ?4)")
                insert.bind(1, text: command.requester)
                insert.bind(2, text: command.id)
                insert.bind(3, text: command.verb)
                insert.bind(4, command.at.milliseconds)
                try insert.run()
                if let audit { try AuditLog.insert(audit, connection) }
            }
            journal.upkeep.progress = nil
            return sighting
        }
    }

    /// Keeps a command's last reply for whoever sends the command again; durable on return.
    package func end(_ id: String, of requester: String, reply: [UInt8], audit: AuditEntry?) throws {
        try write { journal in
            try journal.connection.transaction {
                let update = try journal.connection.prepare(
                    "UPDATE commands SET reply = ?3 WHERE requester = ?1 AND id = ?2")
                update.bind(1, text: requester)
                update.bind(2, text: id)
                update.bind(3, bytes: reply)
                try update.run()
                if let audit { try AuditLog.insert(audit, journal.connection) }
            }
            journal.upkeep.progress = nil
        }
    }
}
