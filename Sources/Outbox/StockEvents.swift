import Glibc
package import Inventory
import SQLite

/// A stored event with all that is known of its way.
package struct ToldEvent: Sendable {
    package var epoch: Epoch
    package var lane: Lane
    package var sequence: Int64
    package var capturedAt: Timestamp
    package var payload: [UInt8]
    package var isAcked: Bool
}

/// Finds what tells of a SKU. There is no index for it: whoever asks is a person, and the hot path pays for nothing.
extension OutboxReader {
    package static let mostRows: Int64 = 2_000

    /// Those of the next `rows` (2,000) events after a slot, 0 first, that tell of the SKU, at the location where one is
    /// named; `next`: the slot to go on from, nil at the end.
    package func events(
        of sku: String, location: String?, after slot: Int64, rows: Int64 = mostRows
    ) throws -> (found: [ToldEvent], next: Int64?) {
        precondition((1...Self.mostRows).contains(rows))
        let needles = [#""subject":"# + jsonText(sku), #""sku":"# + jsonText(sku)]
        let place = location.map { #""location":"# + jsonText($0) }
        return try read {
            let select = try connection.prepare(
                """
                SELECT slot, payload, (SELECT at FROM captures WHERE id = capture) FROM events
                WHERE slot > ?1 ORDER BY slot LIMIT ?2
                """)
            select.bind(1, slot)
            select.bind(2, rows)
            var found: [ToldEvent] = []
            var last = slot
            var count: Int64 = 0
            while try select.step() {
                count += 1
                last = select.integer(0)
                let isTold = select.withBytes(1) { bytes in
                    needles.contains { holds(bytes, $0) } && (place.map { holds(bytes, $0) } ?? true)
                }
                guard isTold else { continue }
                found.append(
                    try told(Slot(packed: last), select.bytes(1), Timestamp(milliseconds: select.integer(2))))
            }
            return (found, count < rows ? nil : last)
        }
    }

    private func told(_ slot: Slot, _ payload: [UInt8], _ at: Timestamp) throws -> ToldEvent {
        let select = try connection.prepare(
            "SELECT text, acked FROM epochs JOIN lanes ON epoch = ordinal WHERE ordinal = ?1 AND lane = ?2")
        select.bind(1, slot.epoch)
        select.bind(2, Int64(slot.lane.rawValue))
        guard try select.step(), let epoch = select.text(0).flatMap({ Epoch($0) }) else {
            throw SQLiteError(code: 11, message: "an event has no epoch", operation: "read an event")
        }
        return ToldEvent(
            epoch: epoch, lane: slot.lane, sequence: slot.sequence, capturedAt: at, payload: payload,
            isAcked: slot.sequence <= select.integer(1))
    }
}

private func holds(_ bytes: UnsafeRawBufferPointer, _ needle: String) -> Bool {
    var needle = needle
    return needle.withUTF8 { needle in
        guard let base = bytes.baseAddress, let start = needle.baseAddress, bytes.count >= needle.count else {
            return false
        }
        var place = 0
        let last = bytes.count - needle.count
        while place <= last, let found = memchr(base + place, Int32(start[0]), last - place + 1) {
            if memcmp(found, start, needle.count) == 0 { return true }
            place = UnsafeRawPointer(found) - base + 1
        }
        return false
    }
}
