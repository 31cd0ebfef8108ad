package import Contract

// One lane as a consumer follows it: repeats are dropped, what comes too early is parked, what is missing is named. A pure
// value; whoever owns it applies what it hands out, in the same transaction as the offset.

package struct LaneFollower: Sendable {
    /// An event that waits for those before it.
    package struct Parked: Sendable {
        package var event: ReceivedEvent
        package var payload: [UInt8]

        package init(event: ReceivedEvent, payload: [UInt8]) {
            self.event = event
            self.payload = payload
        }
    }

    package enum Verdict: Sendable, Equatable {
        /// It is the next one; `last` has moved on.
        case apply
        case repeated
        case parked
        /// Too much is parked: all of it is forgotten, and will be asked for.
        case overflow
    }

    /// All up to it had their effect.
    package private(set) var last: Int64
    /// What is known to exist: an acked watermark, or the last head of an ended epoch.
    package private(set) var goal: Int64 = 0
    /// Since when something is missing, in monotonic milliseconds.
    package private(set) var missingSince: Int64?
    private var parked: [Int64: Parked] = [:]
    private var parkedBytes = 0
    private var lowest = Int64.max

    static let mostParked = 10_000
    static let mostParkedBytes = 32 << 20
    static let longestReplay: Int64 = 100_000

    package init(last: Int64) { self.last = last }

    package var parkedCount: Int { parked.count }
    /// The smallest sequence that waits for others.
    package var lowestParked: Int64? { parked.isEmpty ? nil : lowest }

    /// `make` copies the event where it has to wait.
    package mutating func take(_ sequence: Int64, now: Int64, _ make: () -> Parked) -> Verdict {
        if sequence <= last { return .repeated }
        if sequence == last + 1 {
            advance(to: sequence)
            return .apply
        }
        if parked[sequence] != nil { return .repeated }
        let waiting = make()
        guard parked.count < Self.mostParked, parkedBytes + waiting.payload.count <= Self.mostParkedBytes else {
            goal = max(goal, sequence)
            parked = [:]
            parkedBytes = 0
            lowest = .max
            missingSince = missingSince ?? now
            return .overflow
        }
        parked[sequence] = waiting
        parkedBytes += waiting.payload.count
        lowest = min(lowest, sequence)
        missingSince = missingSince ?? now
        return .parked
    }

    /// The parked event whose turn it is; `last` has moved on.
    package mutating func next() -> Parked? {
        guard lowest == last + 1, let waiting = parked.removeValue(forKey: lowest) else { return nil }
        parkedBytes -= waiting.payload.count
        advance(to: lowest)
        return waiting
    }

    /// Gives up what lies before `oldest`: it is not to be had any more. The lost range; nil when nothing is lost.
    package mutating func giveUp(before oldest: Int64) -> ClosedRange<Int64>? {
        guard oldest > last + 1, oldest <= mostSequence else { return nil }
        let lost = last + 1...oldest - 1
        for sequence in parked.keys where sequence < oldest {
            parkedBytes -= parked.removeValue(forKey: sequence)?.payload.count ?? 0
        }
        advance(to: oldest - 1)
        return lost
    }

    /// Events up to a sequence are known to exist.
    package mutating func expect(upTo sequence: Int64, now: Int64) {
        goal = max(goal, min(sequence, mostSequence))
        if goal > last { missingSince = missingSince ?? now }
    }

    /// No more than this is to be had; what was expected beyond it never comes.
    package mutating func expectNoMore() {
        goal = last
        if parked.isEmpty { missingSince = nil }
    }

    /// What was expected belonged to another end; what is parked stays.
    package mutating func forgetGoal() { goal = 0 }

    /// What has to be asked for; nil while nothing is missing. At most 100,000 sequences.
    package var missing: ClosedRange<Int64>? {
        let end = lowest == .max ? goal : lowest - 1
        guard end > last else { return nil }
        return last + 1...min(end, last + Self.longestReplay)
    }

    private mutating func advance(to sequence: Int64) {
        last = sequence
        if parked.isEmpty {
            lowest = .max
        } else if parked[sequence + 1] != nil {
            lowest = sequence + 1
        } else if lowest <= sequence {
            lowest = parked.keys.filter { $0 > sequence }.min() ?? .max
        }
        if lowest <= last { lowest = .max }
        // What is parked may follow at once and leave another gap behind it: that one counts from the first on.
        if missing == nil, parked.isEmpty { missingSince = nil }
    }
}
