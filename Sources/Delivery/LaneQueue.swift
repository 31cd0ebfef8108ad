package import Inventory

// One lane between outbox and broker, as a pure value.
//
// Events leave in sequence order, alone or as contiguous runs. Broker acks may come in any order; the watermark rises
// only past contiguous ones. A refused message stops the lane: nothing new goes out, what is in flight is awaited,
// then everything from the watermark on is sent again in order. So a consumer never sees n+1 before n on one
// connection, whatever the broker answers.

/// A contiguous run of sequences that travels as one message.
package struct Run: Equatable, Sendable {
    package var first: Int64
    package var last: Int64

    package init(_ first: Int64, _ last: Int64) {
        precondition(first >= 1 && last >= first)
        self.first = first
        self.last = last
    }

    package var count: Int64 { last - first + 1 }
}

package struct LaneQueue: Sendable {
    package let lane: Lane
    /// The highest sequence of which all up to it are acked.
    package private(set) var watermark: Int64
    /// The next sequence to send.
    package private(set) var next: Int64
    /// Up to here each event travels alone: a batch that held it was refused.
    package private(set) var singlesUpTo: Int64 = 0
    /// In the order of sending, from `start` on.
    private var slots: [Slot] = []
    private var start = 0
    private var pausedUntil: Int64?
    /// A message was refused: nothing goes out until all that is in flight is answered.
    package private(set) var isDraining = false

    private struct Slot: Sendable {
        var run: Run
        var isAcked = false
    }

    package init(lane: Lane, watermark: Int64) {
        self.lane = lane
        self.watermark = watermark
        next = watermark + 1
    }

    package var messagesInFlight: Int { slots.count - start }
    /// The oldest message that is not acked.
    package var firstInFlight: Run? { slots[start...].first { !$0.isAcked }?.run }

    /// Whether the lane may send at this monotonic millisecond.
    package func maySend(now: Int64) -> Bool {
        if isDraining { return false }
        if let pausedUntil { return now >= pausedUntil }
        return true
    }

    /// After a pause the head event goes alone, as a probe, until its ack lifts the pause.
    package func isProbing(now: Int64) -> Bool { pausedUntil.map { now >= $0 } ?? false }

    package mutating func sent(_ run: Run) {
        precondition(run.first == next, "a lane sends in sequence order")
        slots.append(Slot(run: run))
        next = run.last + 1
    }

    /// Returns true when the watermark rose.
    package mutating func acked(_ run: Run) -> Bool {
        guard let index = slots[start...].firstIndex(where: { $0.run == run }) else { return false }
        slots[index].isAcked = true
        let before = watermark
        if !isDraining {
            pausedUntil = nil
            raiseWatermark(before: .max)
        }
        settle()
        return watermark > before
    }

    /// The broker refused a run: the lane drains, then begins again at the watermark.
    package mutating func refused(_ run: Run, resumeAt: Int64?, alone: Bool) {
        if !isDraining {
            raiseWatermark(before: run.first)
            pausedUntil = nil
        }
        isDraining = true
        if let resumeAt { pausedUntil = max(pausedUntil ?? resumeAt, resumeAt) }
        if alone { singlesUpTo = max(singlesUpTo, run.last) }
        if let index = slots[start...].firstIndex(where: { $0.run == run }) { slots[index].isAcked = true }
        settle()
    }

    /// Up to this sequence each event travels alone from now on.
    package mutating func sendAlone(upTo sequence: Int64) { singlesUpTo = max(singlesUpTo, sequence) }

    /// Nothing goes out before; then the head goes alone.
    package mutating func pause(until moment: Int64) { pausedUntil = moment }

    /// The connection is gone, and with it all knowledge of what was in flight.
    package mutating func lost() {
        forget()
        isDraining = false
        next = watermark + 1
    }

    private mutating func raiseWatermark(before sequence: Int64) {
        while start < slots.count, slots[start].isAcked, slots[start].run.last < sequence {
            watermark = slots[start].run.last
            start += 1
        }
        if start == slots.count {
            forget()
        } else if start >= 1_024 {
            slots.removeFirst(start)
            start = 0
        }
    }

    /// Keeps the storage, so that a steady flow allocates nothing.
    private mutating func forget() {
        slots.removeAll(keepingCapacity: true)
        start = 0
    }

    private mutating func settle() {
        guard isDraining, slots[start...].allSatisfy(\.isAcked) else { return }
        forget()
        isDraining = false
        next = watermark + 1
    }
}
