import Inventory
import SQLite

/// Begins an epoch: all lanes start again at 1, and what is not acked moves into it in its order.
struct Epochs {
    let journal: Journal

    func start(above: [Epoch], reason: String, now: Timestamp) throws -> Epoch {
        let old = (ordinal: journal.ordinal, progress: journal.progress)
        let epoch = Epoch.mint(
            now: now, above: above + [old.progress.epoch], random: .random(in: 0...UInt16.max))
        try journal.connection.transaction {
            try insert(epoch, ordinal: old.ordinal + 1, reason: reason)
            for lane in Lane.allCases { try move(lane, from: old, to: epoch) }
        }
        (journal.ordinal, journal.progress) = try Journal.readProgress(journal.connection)
        return epoch
    }

    private func insert(_ epoch: Epoch, ordinal: Int64, reason: String) throws {
        let insert = try journal.connection.prepare("INSERT INTO epochs VALUES (?1, ?2, ?3)")
        insert.bind(1, ordinal)
        insert.bind(2, text: epoch.text)
        insert.bind(3, text: reason)
        try insert.run()
    }

    private func move(_ lane: Lane, from old: (ordinal: Int64, progress: Progress), to epoch: Epoch) throws {
        let line = old.progress.lanes[lane] ?? LaneProgress(head: 0, acked: 0)
        let read = try journal.connection.prepare("SELECT payload FROM events WHERE slot = ?1")
        let update = try journal.connection.prepare("UPDATE events SET slot = ?1, payload = ?2 WHERE slot = ?3")
        var head: Int64 = 0
        for sequence in stride(from: line.acked + 1, through: line.head, by: 1) {
            let slot = Slot(epoch: old.ordinal, lane: lane, sequence: sequence).packed
            read.bind(1, slot)
            guard try read.step() else { continue }
            var payload = read.bytes(0)
            read.reset()
            head += 1
            EventEncoder.readdress(&payload, sequence: head, epoch: epoch)
            update.bind(1, Slot(epoch: old.ordinal + 1, lane: lane, sequence: head).packed)
            update.bind(2, bytes: payload)
            update.bind(3, slot)
            try update.run()
        }
        try journal.connection.execute(
            """
            UPDATE lanes SET head = \(line.acked) WHERE epoch = \(old.ordinal) AND lane = \(lane.rawValue);
            INSERT INTO lanes VALUES (\(lane.rawValue), \(old.ordinal + 1), \(head), 0)
            """)
    }
}
