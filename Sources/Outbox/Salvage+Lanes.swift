import Inventory
import SQLite

// Which lanes of which epochs a damaged file holds, whatever of its tables can still be read.

extension Salvage {
    struct LaneRow {
        var epoch: String
        var ordinal: Int64
        var lane: Lane
        var acked: Int64
        var head: Int64
        /// What the acked events that are not pruned hold, in bytes.
        var kept: Int64
        /// As the table says; else its range is all that there could be.
        var isKnown: Bool

        var isSound: Bool {
            (1..<(1 << 15)).contains(ordinal) && (0..<Slot.lastSequence).contains(acked)
                && (acked...Slot.lastSequence).contains(head) && kept >= 0
        }
    }

    /// Where the table cannot be read or holds nonsense, all that is there counts as un-acked: sent twice is lawful.
    mutating func lanes() -> [LaneRow] {
        var found: [LaneRow] = []
        do {
            let rows = try connection.prepare(
                """
                SELECT coalesce(text, ''), epoch, lane, acked, head, kept FROM lanes LEFT JOIN epochs ON ordinal = epoch
                ORDER BY epoch DESC
                """)
            while try rows.step() {
                let lane = Lane(rawValue: UInt8(truncatingIfNeeded: rows.integer(2)))
                let row = LaneRow(
                    epoch: rows.text(0) ?? "", ordinal: rows.integer(1), lane: lane ?? .bulk, acked: rows.integer(3),
                    head: rows.integer(4), kept: rows.integer(5), isKnown: true)
                if lane != nil, row.isSound { found.append(row) }
            }
        } catch { note("the table of lanes") }
        return everyLane(found)
    }

    /// Each lane of each epoch that the file speaks of anywhere.
    private mutating func everyLane(_ known: [LaneRow]) -> [LaneRow] {
        var ordinals = Set(known.map(\.ordinal))
        do {
            let epochs = try connection.prepare("SELECT ordinal FROM epochs")
            while try epochs.step() { ordinals.insert(epochs.integer(0)) }
        } catch { note("the table of epochs") }
        let isWhole = addOrdinalsOfEvents(&ordinals)
        ordinals = ordinals.filter { (1..<(1 << 15)).contains($0) }
        guard let first = ordinals.min(), let last = ordinals.max() else {
            if !isWhole { note("all events: the file does not say any more which epochs and lanes it holds") }
            return known
        }
        // What could not be asked may lie between those that are known.
        if !isWhole { ordinals.formUnion(first...last) }
        noteUnknown(ordinals, known)
        return ordinals.sorted(by: >).flatMap { ordinal in
            Lane.allCases.map { lane in
                known.first { $0.ordinal == ordinal && $0.lane == lane }
                    ?? LaneRow(
                        epoch: "epoch \(ordinal)", ordinal: ordinal, lane: lane, acked: 0, head: Slot.lastSequence,
                        kept: 0, isKnown: false)
            }
        }
    }

    /// Those that an event stands in, each found behind the last. False where damage kept some from being found.
    private func addOrdinalsOfEvents(_ ordinals: inout Set<Int64>) -> Bool {
        var first: Int64 = 0
        do {
            while first >= 0 {
                let slot = try connection.integer("SELECT coalesce(min(slot), -1) FROM events WHERE slot >= \(first)")
                guard slot >= first else { return true }
                ordinals.insert(slot >> 48)
                first = ((slot >> 48) + 1) << 48
            }
            return true
        } catch {
            let last = try? connection.integer("SELECT coalesce(max(slot), -1) FROM events")
            if let last, last >= 0 { ordinals.insert(last >> 48) }
            return false
        }
    }

    /// One note for neighbours.
    private mutating func noteUnknown(_ ordinals: Set<Int64>, _ known: [LaneRow]) {
        let whole = Dictionary(grouping: known, by: \.ordinal).filter { $0.value.count == Lane.allCases.count }
        let lacking = ordinals.subtracting(whole.keys).sorted()
        var rest = lacking[...]
        while let first = rest.first {
            let run = zip(rest, first...).prefix { $0 == $1 }.count
            let last = first + Int64(run) - 1
            note("how far lanes of epoch \(first)\(last == first ? "" : "-\(last)") were acked")
            rest = rest.dropFirst(run)
        }
    }
}
