import Inventory
import SQLite

/// Keeps the original of an event that cannot be sent, and puts a `stream.skipped` under its sequence.
enum Tombstones {
    static func put(slot: Int64, journal: Journal, reason: String, now: Timestamp) throws {
        let place = Slot(packed: slot)
        try journal.connection.transaction {
            let keep = try journal.connection.prepare(
                "INSERT OR IGNORE INTO dead_letters SELECT slot, ?2, payload FROM events WHERE slot = ?1")
            keep.bind(1, slot)
            keep.bind(2, text: reason)
            try keep.run()
            let payload = journal.encoder.encodeSkipped(
                lane: place.lane, sequence: place.sequence, epoch: journal.progress.epoch,
                id: try id(of: slot, journal), reason: reason, at: now)
            let update = try journal.connection.prepare("UPDATE events SET payload = ?2 WHERE slot = ?1")
            update.bind(1, slot)
            update.bind(2, bytes: payload)
            try update.run()
        }
    }

    private static func id(of slot: Int64, _ journal: Journal) throws -> EventID {
        let select = try journal.connection.prepare("SELECT id FROM events WHERE slot = ?1")
        select.bind(1, slot)
        guard try select.step() else {
            throw OutboxError(
                code: .unknownSequence, message: "no event stands there", hint: "it was pruned or never given")
        }
        return select.withBytes(0) { bytes in
            EventID(
                high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
    }
}
