package import Inventory
import SQLite

/// What a site's announcements tell of the past.
extension OutboxReader {
    /// The epoch before the present one and its lanes' last heads; nil when this file holds none. What was not acked when
    /// it ended moved on and does not count.
    package func previousEpoch() throws -> (epoch: Epoch, heads: ByLane<Int64>)? {
        try heads(back: 1)
    }

    /// Of the present epoch, or of one so many before it; nil when this file holds none.
    func heads(back: Int) throws -> (epoch: Epoch, heads: ByLane<Int64>)? {
        try read {
            let select = try connection.prepare(
                """
                SELECT text, lane, head FROM lanes JOIN epochs ON ordinal = epoch
                WHERE epoch = (SELECT max(ordinal) - \(back) FROM epochs)
                """)
            var epoch: Epoch?
            var heads = ByLane<Int64> { _ in 0 }
            while try select.step() {
                epoch = select.text(0).flatMap { Epoch($0) }
                if let lane = Lane(rawValue: UInt8(select.integer(1))) { heads[lane] = select.integer(2) }
            }
            return epoch.map { ($0, heads) }
        }
    }

    /// What waits in a lane of the present epoch, after the sequence up to which all is acked.
    package func backlog(of lane: Lane, after acked: Int64) throws -> LaneBacklog {
        try read {
            let ordinal = try connection.integer("SELECT max(ordinal) FROM epochs")
            let first = Slot(epoch: ordinal, lane: lane, sequence: 0).packed
            let range = "slot > \(first) AND slot < \(first + 1 << 44)"
            let oldest = try connection.integer("SELECT coalesce(min(slot), \(first)) FROM events WHERE \(range)")
            // One lower bound: of two SQLite may take the lesser, and look at every acked row.
            let sample = try connection.prepare(
                """
                SELECT coalesce(avg(length(payload)), 0), coalesce(min(capture), 0)
                FROM (SELECT capture, payload FROM events
                    WHERE slot > \(first + acked) AND slot < \(first + 1 << 44) ORDER BY slot LIMIT \(LaneBacklog.sample))
                """)
            guard try sample.step() else { return LaneBacklog(oldest: 0, meanBytes: 0) }
            let capture = try connection.prepare("SELECT at FROM captures WHERE id = ?1")
            capture.bind(1, sample.integer(1))
            return LaneBacklog(
                oldest: Slot(packed: oldest).sequence, meanBytes: sample.integer(0),
                capturedAt: try capture.step() ? Timestamp(milliseconds: capture.integer(0)) : nil)
        }
    }
}

package struct LaneBacklog: Sendable, Equatable {
    /// The oldest sequence that is kept, acked or not; 0 when there is none.
    package var oldest: Int64
    /// A waiting event's size: the mean of the oldest of them, since a look at all would read the file.
    package var meanBytes: Int64
    /// When the oldest waiting event was captured; nil when none waits.
    package var capturedAt: Timestamp?

    static let sample = 256
}
