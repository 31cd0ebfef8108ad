package import Inventory
import SQLite

/// How far a lane was behind within some minutes.
package struct LagSample: Sendable, Equatable {
    package var at: Timestamp
    package var lane: Lane
    /// Events that the broker had not acked, the most of that time.
    package var backlog: Int64
    /// How long an event waited for its ack, the longest of that time in milliseconds.
    package var age: Int64

    package init(at: Timestamp, lane: Lane, backlog: Int64, age: Int64) {
        self.at = at
        self.lane = lane
        self.backlog = backlog
        self.age = age
    }
}

extension Outbox {
    private static let historyMilliseconds: Int64 = 25 * 3_600_000

    /// Adds samples to the history and forgets those of more than 25 hours ago, or of a clock that ran ahead. Durable on
    /// return.
    package func note(_ samples: [LagSample], now: Timestamp) throws {
        // Nothing is written into a damaged file: what it holds has to be published first.
        if isDamaged { return }
        try write(now) { journal in
            try journal.connection.transaction {
                let insert = try journal.connection.prepare("INSERT OR REPLACE INTO history VALUES (?1, ?2, ?3, ?4)")
                for sample in samples {
                    insert.bind(1, sample.at.milliseconds)
                    insert.bind(2, Int64(sample.lane.rawValue))
                    insert.bind(3, sample.backlog)
                    insert.bind(4, sample.age)
                    try insert.run()
                }
                try journal.connection.execute(
                    """
                    DELETE FROM history WHERE at < \(now.milliseconds - Self.historyMilliseconds)
                        OR at > \(now.milliseconds + Self.historyMilliseconds)
                    """)
            }
        }
    }
}

extension OutboxReader {
    /// In the order of time, of the last 25 hours at most.
    package func lagHistory(since: Timestamp) throws -> [LagSample] {
        try read {
            let select = try connection.prepare(
                "SELECT at, lane, backlog, age FROM history WHERE at >= ?1 ORDER BY at, lane")
            select.bind(1, since.milliseconds)
            var samples: [LagSample] = []
            while try select.step() {
                guard let lane = Lane(rawValue: UInt8(clamping: select.integer(1))) else { continue }
                samples.append(
                    LagSample(
                        at: Timestamp(milliseconds: select.integer(0)), lane: lane, backlog: select.integer(2),
                        age: select.integer(3)))
            }
            return samples
        }
    }
}
