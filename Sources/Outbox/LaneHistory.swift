package import Inventory
import SQLite

/// What a site's announcements tell of the past.
extension OutboxReader {
    /// The epoch before the present one and its lanes' last heads; nil when this file holds none. What was not acked when
    /// it ended moved on and does not count.
    package func previousEpoch() throws -> (epoch: Epoch, heads: ByLane<Int64>)? {
        try read {
            let select = try connection.prepare(
                """
                SELECT text, lane, head FROM lanes JOIN epochs ON ordinal = epoch
                WHERE epoch = (SELECT max(ordinal) - 1 FROM epochs)
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
}
