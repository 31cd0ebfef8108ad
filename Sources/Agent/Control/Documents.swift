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
    /// `posted`, `suppressed`, `rejected`, `discarded`, or `would be posted`.
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

/// What a reset would do.
package struct ResetPlanDocument: Codable, Sendable {
    package var schema = 1
    package var after: String
    package var moves: Int64

    package init(after: String, moves: Int64) {
        self.after = after
        self.moves = moves
    }
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
