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

extension OutboxReader {
    private static let eventsAtOnce: Int64 = 2_000

    package func journal(since moment: Timestamp, limit: Int64) throws -> JournalSpan? {
        // What an earlier epoch held is not looked for.
        guard let lanes = try heads(back: 0), lanes.epoch.start < moment else { return nil }
        let prunedTo = try read {
            try connection.integer("SELECT coalesce((SELECT value FROM facts WHERE name = 'pruned_to'), 0)")
        }
        guard prunedTo < moment.milliseconds else { return nil }
        let after = try ByLane<Int64> { lane in
            let first = try firstSequence(of: lane, capturedSince: moment)
            let found = try page(lane: lane, of: lanes.epoch, after: first - 1, limit: 1).first
            // All that the lane had may be pruned.
            return found.map { $0.sequence - 1 } ?? lanes.heads[lane]
        }
        let span = JournalSpan(epoch: lanes.epoch, after: after, through: lanes.heads)
        return span.events <= limit ? span : nil
    }

    package func read(_ span: inout JournalSpan, into moves: inout StockMoves) throws {
        let end = span.events - Self.eventsAtOnce
        for lane in Lane.allCases {
            while span.after[lane] < span.through[lane], span.events > end {
                let events = try page(lane: lane, of: span.epoch, after: span.after[lane], through: span.through[lane])
                for event in events { event.payload.withUnsafeBytes { moves.note($0) } }
                span.after[lane] = events.last?.sequence ?? span.through[lane]
            }
        }
    }
}
