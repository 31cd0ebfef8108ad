import Inventory
import SQLite

/// Keeps the original of an event that cannot be sent, and puts a `stream.skipped` under its sequence.
///
/// The tombstone has at most half of the bytes that could not be sent, so one that is still too large is halved again
/// when it is skipped in its turn.
enum Tombstones {
    private static let leastBytes = 512

    static func put(slot: Int64, journal: Journal, reason: String, now: Timestamp) throws {
        let place = Slot(packed: slot)
        try journal.connection.transaction {
            let keep = try journal.connection.prepare(
                "INSERT OR IGNORE INTO dead_letters SELECT slot, ?2, payload FROM events WHERE slot = ?1")
            keep.bind(1, slot)
            keep.bind(2, text: reason)
            try keep.run()
            let (id, size, original) = try event(slot, journal)
            let payload = journal.encoder.encodeSkipped(
                lane: place.lane, sequence: place.sequence, epoch: journal.progress.epoch, id: id, reason: reason,
                at: now, original: original, limitBytes: max(leastBytes, size / 2))
            let update = try journal.connection.prepare("UPDATE events SET payload = ?2 WHERE slot = ?1")
            update.bind(1, slot)
            update.bind(2, bytes: payload)
            try update.run()
        }
    }

    private static func event(_ slot: Int64, _ journal: Journal) throws -> (EventID, size: Int, original: [UInt8]) {
        let select = try journal.connection.prepare(
            """
            SELECT id, length(events.payload), dead_letters.payload FROM events
            JOIN dead_letters USING (slot) WHERE slot = ?1
            """)
        select.bind(1, slot)
        guard try select.step() else {
            throw OutboxError(
                code: .unknownSequence, message: "no event stands there", hint: "it was pruned or never given")
        }
        let id = select.withBytes(0) { EventID(stored: $0) }
        return (id, Int(select.integer(1)), select.bytes(2))
    }
}
