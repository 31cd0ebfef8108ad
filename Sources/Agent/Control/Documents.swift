package import Delivery

// What the control socket answers, and what `--json` prints: version 1 of each shape.

/// What `waybill check --json` prints.
package struct CheckDocument: Codable {
    package var schema = 1
    package var isValid: Bool
    package var findings: [String]
    package var problems: [String]

    package init(isValid: Bool, findings: [String], problems: [String]) {
        self.isValid = isValid
        self.findings = findings
        self.problems = problems
    }

    enum CodingKeys: String, CodingKey {
        case schema, findings, problems
        case isValid = "valid"
    }
}

package struct StatusDocument: Codable, Sendable {
    package struct LaneLine: Codable, Sendable {
        package var name: String
        package var head: Int64
        package var acked: Int64
        package var backlog: Int64
    }

    /// What a consumer said that it has.
    package struct ReceiptLine: Codable, Sendable {
        package var requester: String
        package var lane: String
        package var sequence: Int64
        package var at: String
    }

    package struct SourceLine: Codable, Sendable {
        package var name: String
        package var status: String
        package var rejects: Int64
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
    /// `ok` or `degraded`.
    package var health: String
    package var reasons: [String]
    package var lanes: [LaneLine]
    package var receipts: [ReceiptLine]
    package var sources: [SourceLine]
    package var process: Usage

    enum CodingKeys: String, CodingKey {
        case schema, version, tenant, site, pid, at, epoch, health, reasons, lanes, receipts, sources, process
        case startedAt = "started_at"
        case isConnected = "connected"
    }
}

package struct OutboxDocument: Codable, Sendable {
    package struct SourceLine: Codable, Sendable {
        package var name: String
        /// From here on nothing un-acked would be missed.
        package var position: String
    }

    package var schema = 1
    package var path: String
    package var instance: String
    package var epoch: String
    package var fileBytes: Int64
    package var walBytes: Int64
    package var limitBytes: Int64
    /// `open`, or why reading is paused.
    package var room: String
    package var rejects: Int64
    package var setAside: [String]
    package var lanes: [StatusDocument.LaneLine]
    package var sources: [SourceLine]

    enum CodingKeys: String, CodingKey {
        case schema, path, instance, epoch, room, rejects, lanes, sources
        case fileBytes = "file_bytes"
        case walBytes = "wal_bytes"
        case limitBytes = "limit_bytes"
        case setAside = "set_aside"
    }
}

package struct RejectDocument: Codable, Sendable {
    package var schema = 1
    package var id: Int64
    package var source: String
    package var at: String
    package var position: String
    package var code: String
    package var message: String
    /// The raw bytes as text; bytes that are no UTF-8 show as U+FFFD.
    package var record: String
}

/// What a retry or a discard did.
package struct OutcomeDocument: Codable, Sendable {
    package var schema = 1
    package var id: Int64
    /// `posted`, `suppressed`, `rejected` or `discarded`.
    package var outcome: String
    package var events: Int
    package var reason: String?
}

/// What an order to send again is, and how far.
package struct RepairDocument: Codable, Sendable {
    package var schema = 1
    /// In words.
    package var what: String
    /// How many events it will send, where that is known before.
    package var events: Int64?
    /// Nil for a dry run.
    package var state: RepairState?
}

package struct RefusalDocument: Codable, Sendable {
    package var schema = 1
    package var refused: String
}

package struct ResetDocument: Codable, Sendable {
    package var schema = 1
    package var epoch: String
    package var previous: String
    /// Events that were not acked and go out in the new epoch.
    package var moved: Int64
}

package struct StockDocument: Codable, Sendable {
    package var schema = 1
    package var sku: String
    package var location: String
    package var lot: String
    package var owner: String
    package var version: Int64
    /// By bucket; absent where it is unknown.
    package var figures: [String: String]
    package var onHand: String?
    package var available: String?

    enum CodingKeys: String, CodingKey {
        case schema, sku, location, lot, owner, version, figures, available
        case onHand = "on_hand"
    }
}

package struct AuditDocument: Codable, Sendable {
    package var schema = 1
    package var id: Int64
    package var at: String
    package var actor: String
    package var action: String
    package var subject: String
    package var outcome: String
}

/// One thing that happened to an event of a SKU.
package struct WhyDocument: Codable, Sendable {
    package var schema = 1
    package var at: String
    /// `record`, `event`, `waiting`, `acked`, `receipt`, `replay`.
    package var what: String
    package var lane: String
    package var epoch: String
    package var sequence: Int64
    package var words: String
}
