package import Inventory

/// Where the outbox lives and what it may use.
package struct OutboxOptions: Sendable {
    package var directory: String
    package var site: SiteIdentity
    package var rules: InventoryRules
    package var programVersion: String
    /// Used pages and the write-ahead log together; reading stops there.
    package var limitBytes: Int64 = 4 << 30
    /// Free disk that is never used.
    package var reserveBytes: Int64 = 200 << 20
    /// Acked events are kept this long, and then up to `keepBytes`.
    package var keepMilliseconds: Int64 = 7 * 86_400_000
    package var keepBytes: Int64 = 1 << 30

    package init(directory: String, site: SiteIdentity, rules: InventoryRules, programVersion: String) {
        self.directory = directory
        self.site = site
        self.rules = rules
        self.programVersion = programVersion
    }
}

package struct LaneProgress: Sendable, Equatable {
    /// The highest sequence given; 0 before the first.
    package var head: Int64
    /// All up to it are acked by the broker.
    package var acked: Int64

    package init(head: Int64, acked: Int64) {
        self.head = head
        self.acked = acked
    }
}

/// What is durable, as of the last commit.
package struct Progress: Sendable, Equatable {
    package var epoch: Epoch
    package var lanes: [Lane: LaneProgress]
}

package struct AppendResult: Sendable, Equatable {
    package var events = 0
    package var suppressed = 0
    package var conflicts = 0
    package var rejects = 0
    package var ignored = 0

    package init() {}
}

package struct StoredEvent: Sendable {
    package let lane: Lane
    package let sequence: Int64
    /// The exact bytes to send.
    package let payload: [UInt8]

    package init(lane: Lane, sequence: Int64, payload: [UInt8]) {
        self.lane = lane
        self.sequence = sequence
        self.payload = payload
    }
}

package struct StoredReject: Sendable {
    package let id: Int64
    package let source: String
    package let at: Timestamp
    package let position: String
    package let reason: RejectReason
    package let bytes: [UInt8]
}

/// Whether sources may be read.
package enum Room: Sendable, Equatable {
    case open
    case paused(String)
}

package struct OutboxError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable { case locked, directory, unknownSequence }

    package let code: Code
    package let message: String
    package let hint: String

    package var description: String { "\(message); \(hint)" }
}
