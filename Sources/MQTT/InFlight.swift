/// Messages that were sent and are not acknowledged, in the order of sending.
///
/// Brokers acknowledge in that order nearly always, so the oldest is looked at first. Packet ids wrap without an
/// in-use check in libmosquitto: a bit a packet id tells which are taken.
struct InFlight {
    struct Entry {
        let mid: Int32
        let token: UInt64
        let bytes: Int
        /// Monotonic milliseconds.
        let at: Int64
        fileprivate var isOpen = true

        init(mid: Int32, token: UInt64, bytes: Int, at: Int64) {
            self.mid = mid
            self.token = token
            self.bytes = bytes
            self.at = at
        }
    }

    private var entries: [Entry] = []
    private var start = 0
    private var taken = [UInt64](repeating: 0, count: 1024)

    /// The message that waits longest.
    var oldest: Entry? { start < entries.count ? entries[start] : nil }

    /// From the oldest that waits to the newest, the answered ones between them included.
    var span: Int { entries.count - start }

    func holds(_ mid: Int32) -> Bool { taken[Int(mid & 0xFFFF) >> 6] & bit(mid) != 0 }

    mutating func sent(_ entry: Entry) {
        precondition(!holds(entry.mid), "a packet id is in flight once")
        taken[Int(entry.mid & 0xFFFF) >> 6] |= bit(entry.mid)
        entries.append(entry)
    }

    /// Nil for a packet id that is not in flight.
    mutating func take(_ mid: Int32) -> Entry? {
        guard holds(mid), let index = entries[start...].firstIndex(where: { $0.mid == mid && $0.isOpen }) else {
            return nil
        }
        taken[Int(mid & 0xFFFF) >> 6] &= ~bit(mid)
        entries[index].isOpen = false
        let entry = entries[index]
        while start < entries.count, !entries[start].isOpen { start += 1 }
        compact()
        return entry
    }

    /// Keeps the storage, so that a steady flow allocates nothing.
    private mutating func compact() {
        if start == entries.count {
            entries.removeAll(keepingCapacity: true)
        } else if start >= 1_024 {
            entries.removeFirst(start)
        } else {
            return
        }
        start = 0
    }

    private func bit(_ mid: Int32) -> UInt64 { 1 << UInt64(mid & 63) }
}
