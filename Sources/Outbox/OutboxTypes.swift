package import Inventory
import SQLite

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
    /// Identities are remembered this many days, and at most `seenLimit` a source; both move by whole days.
    package var seenDays: Int64 = 45
    package var seenLimit: Int64 = 5_000_000
    /// Nothing acked is pruned before this requester said that it has it; nil: nobody is waited for.
    package var waitReceipt: String?
    /// A write-ahead log beyond it is emptied into the file by a truncating checkpoint.
    package var walLimitBytes: Int64 = 64 << 20
    /// The name of the SQLite VFS, for tests that fail the disk; nil is the system's own.
    package var vfs: String?

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
    package var lanes: ByLane<LaneProgress>

    /// Events that the broker has not acked yet.
    package var backlog: Int64 { Lane.allCases.reduce(0) { $0 + lanes[$1].head - lanes[$1].acked } }
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
    package let identity: String
    package let bytes: [UInt8]
}

/// Whether sources may be read.
package enum Room: Sendable, Equatable {
    case open
    case paused(String)
}

package struct OutboxError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        case locked, directory, unknownSequence, closed, unknownReject, stillRejected
        /// The file was damaged and is kept under another name; a new epoch began in an empty outbox. Sources are to be
        /// opened again at the stored checkpoints, publishing connects again.
        case setAside
        /// A technician changed how a source is read: all are to be opened again.
        case reopen
    }

    package let code: Code
    package let message: String
    package let hint: String

    package var description: String { "\(message); \(hint)" }
}

extension OutboxError {
    static let closed = OutboxError(code: .closed, message: "the outbox is closed", hint: "the agent is stopping")

    static let begunAnew = OutboxError(
        code: .setAside, message: "the outbox was damaged and begun anew",
        hint: "its sources are read again from their beginning; consumers resync")

    static let reopen = OutboxError(
        code: .reopen, message: "a source was paused, resumed or rewound", hint: "all sources are opened again")

    static func setAside(_ path: String, because error: SQLiteError) -> OutboxError {
        OutboxError(
            code: .setAside, message: "the outbox was damaged (\(error.message)) and is kept as \(path)",
            hint: "a new epoch began; sources are read again from their beginning, consumers resync; check the disk")
    }

    static func otherEpoch(_ epoch: Epoch) -> OutboxError {
        OutboxError(
            code: .unknownSequence, message: "epoch \(epoch.text) is not the present one any more",
            hint: "publishing connects again and goes on in the new one")
    }

    static func unknownReject(_ id: Int64) -> OutboxError {
        OutboxError(code: .unknownReject, message: "no reject \(id) is open", hint: "see waybill rejects list")
    }

    static func stillRejected(_ id: Int64) -> OutboxError {
        OutboxError(
            code: .stillRejected, message: "the record of reject \(id) is rejected again",
            hint: "mend the mapping or the record, or discard the reject")
    }
}
