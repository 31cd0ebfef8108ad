package import Inventory
import SQLite

extension OutboxReader {
    /// The first sequence of a lane in the present epoch that was captured at a moment or later, as far as it is kept; one
    /// past the head where none was. Events are captured in the order of their sequences.
    package func firstSequence(of lane: Lane, capturedSince moment: Timestamp) throws -> Int64 {
        try read {
            let ordinal = try connection.integer("SELECT max(ordinal) FROM epochs")
            let first = Slot(epoch: ordinal, lane: lane, sequence: 0).packed
            let range = "slot > \(first) AND slot < \(first + 1 << 44)"
            // Two looks: asked for both in one, SQLite reads the whole range.
            let oldest = try connection.integer("SELECT coalesce(min(slot), 0) FROM events WHERE \(range)")
            let newest = try connection.integer("SELECT coalesce(max(slot), 0) FROM events WHERE \(range)")
            guard oldest > 0 else { return 1 }
            let captured = try connection.prepare(
                """
                SELECT at FROM captures WHERE id =
                    (SELECT capture FROM events WHERE slot >= ?1 AND slot <= ?2 ORDER BY slot LIMIT 1)
                """)
            var (low, high) = (Slot(packed: oldest).sequence, Slot(packed: newest).sequence + 1)
            while low < high {
                let middle = low + (high - low) / 2
                captured.bind(1, Slot(epoch: ordinal, lane: lane, sequence: middle).packed)
                captured.bind(2, newest)
                let isLater = try captured.step() && captured.integer(0) >= moment.milliseconds
                captured.reset()
                if isLater { high = middle } else { low = middle + 1 }
            }
            return low
        }
    }
}
