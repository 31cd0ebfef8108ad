package import Inventory
import SQLite

/// An epoch that the file still knows.
package struct KnownEpoch: Sendable {
    package struct LaneSpan: Sendable, Equatable {
        package var head: Int64
        package var acked: Int64
        /// The smallest sequence that is kept; 0 when there is none.
        package var oldest: Int64
    }

    package var epoch: Epoch
    package var isPresent: Bool
    package var lanes: ByLane<LaneSpan>
}

/// Reads events that were given, in whatever epoch.
extension OutboxReader {
    /// Nil for an epoch that this file does not hold.
    package func epoch(_ epoch: Epoch) throws -> KnownEpoch? {
        try read {
            guard let ordinal = try ordinal(of: epoch) else { return nil }
            let isPresent = try connection.integer("SELECT max(ordinal) FROM epochs") == ordinal
            return KnownEpoch(
                epoch: epoch, isPresent: isPresent, lanes: try ByLane { try span(of: $0, ordinal: ordinal) })
        }
    }

    private func span(of lane: Lane, ordinal: Int64) throws -> KnownEpoch.LaneSpan {
        let start = Slot(epoch: ordinal, lane: lane, sequence: 0).packed
        let oldest = try connection.integer(
            "SELECT coalesce(min(slot), \(start)) FROM events WHERE slot > \(start) AND slot < \(start + 1 << 44)")
        let select = try connection.prepare("SELECT head, acked FROM lanes WHERE epoch = ?1 AND lane = ?2")
        select.bind(1, ordinal)
        select.bind(2, Int64(lane.rawValue))
        let isThere = try select.step()
        return KnownEpoch.LaneSpan(
            head: isThere ? select.integer(0) : 0, acked: isThere ? select.integer(1) : 0, oldest: oldest - start)
    }

    /// The newest first, at most 100.
    package func epochs() throws -> [(epoch: Epoch, reason: String)] {
        try read {
            let select = try connection.prepare("SELECT text, reason FROM epochs ORDER BY ordinal DESC LIMIT 100")
            var found: [(epoch: Epoch, reason: String)] = []
            while try select.step() {
                if let epoch = select.text(0).flatMap({ Epoch($0) }) { found.append((epoch, select.text(1) ?? "")) }
            }
            return found
        }
    }

    /// Nil where no event is kept.
    package func eventID(lane: Lane, of epoch: Epoch, sequence: Int64) throws -> EventID? {
        try read {
            guard let ordinal = try ordinal(of: epoch) else { return nil }
            let select = try connection.prepare("SELECT id FROM events WHERE slot = ?1")
            select.bind(1, Slot(epoch: ordinal, lane: lane, sequence: sequence).packed)
            guard try select.step() else { return nil }
            return select.withBytes(0) { EventID(stored: $0) }
        }
    }
}

extension EventID {
    /// As the journal stores it: 16 bytes.
    init(stored bytes: UnsafeRawBufferPointer) {
        self.init(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }
}
