/// What a technician reads first: `waybill status`, and the page.
package struct StatusDocument: Codable, Sendable {
    package struct ReasonLine: Codable, Sendable {
        /// Such as `broker`, `source`, `late`.
        package var kind: String
        /// A lane's or a source's name.
        package var subject: String?
        package var words: String
        package var since: String
        /// The command to type next.
        package var next: String
    }

    package struct LaneLine: Codable, Sendable {
        package var name: String
        package var head: Int64
        package var acked: Int64
        package var backlog: Int64
        /// When the oldest event that waits was captured; absent while none waits.
        package var oldestUnackedAt: String?

        enum CodingKeys: String, CodingKey {
            case name, head, acked, backlog
            case oldestUnackedAt = "oldest_unacked_at"
        }
    }

    /// What a consumer said that it has.
    package struct ReceiptLine: Codable, Sendable {
        package var requester: String
        package var lane: String
        package var sequence: Int64
        package var at: String
        /// Acked events that it did not confirm yet; absent for an earlier epoch.
        package var behind: Int64?
    }

    package struct SourceLine: Codable, Sendable {
        package var name: String
        /// `ok`, or why it is not read.
        package var status: String
        /// Open ones.
        package var rejects: Int64
        /// Since the agent's start; absent before the first.
        package var lastRecordAt: String?

        enum CodingKeys: String, CodingKey {
            case name, status, rejects
            case lastRecordAt = "last_record_at"
        }
    }

    package struct Usage: Codable, Sendable {
        package var cpuSeconds: Double
        package var residentBytes: Int64

        enum CodingKeys: String, CodingKey {
            case cpuSeconds = "cpu_seconds"
            case residentBytes = "resident_bytes"
        }
    }

    package var schema = 1
    package var version: String
    package var tenant: String
    package var site: String
    package var pid: Int32
    package var at: String
    package var startedAt: String
    package var epoch: String
    package var isConnected: Bool
    /// Since when it is connected, or is not; absent before the first connection.
    package var connectionSince: String?
    /// `ok` or `degraded`.
    package var health: String
    package var reasons: [String]
    /// The same reasons, each with its kind, since when, and what to type.
    package var details: [ReasonLine]
    package var lanes: [LaneLine]
    package var receipts: [ReceiptLine]
    package var sources: [SourceLine]
    /// Of the last 24 hours, the newest first, at most 50.
    package var done: [AuditDocument]
    /// The command to type next; absent when all is well.
    package var next: String?
    package var process: Usage

    enum CodingKeys: String, CodingKey {
        case schema, version, tenant, site, pid, at, epoch, health, reasons, details, lanes, receipts, sources, done
        case next, process
        case startedAt = "started_at"
        case isConnected = "connected"
        case connectionSince = "connection_since"
    }
}
