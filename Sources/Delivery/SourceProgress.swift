package import Inventory

/// How many records of a source became what.
package struct SourceCounts: Sendable, Equatable {
    package var events: Int64 = 0
    package var ignored: Int64 = 0
    package var rejected: Int64 = 0

    package init() {}

    package mutating func add(_ other: SourceCounts) {
        events += other.events
        ignored += other.ignored
        rejected += other.rejected
    }
}

/// How far capture is with a source, since the agent's start.
package struct SourceProgress: Sendable {
    /// `ok`, or why it is not read; nil before the first look.
    package var status: String?
    /// Since when it has more than was read, in monotonic milliseconds; nil: it is caught up.
    package var behindSince: Int64?
    /// All that it had then is durable, and it was caught up all the time before, since so long.
    package var caughtUp: (since: Timestamp, at: Timestamp)?
    package var lastRecord: Timestamp?
    /// Where the last record stood, for people: `moves.csv:61751`.
    package var lastPosition: String?
    package var counts = SourceCounts()
    /// What waits for a technician's word.
    package var hold: SourceHoldNote?

    package init() {}
}
