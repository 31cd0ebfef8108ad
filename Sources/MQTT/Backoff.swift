/// Full-jitter waits between connection attempts.
package struct Backoff: Sendable {
    private let least: Int64
    private let most: Int64
    private var attempts: Int64 = 0
    private var refusals: Int64 = 0

    package init(least: Int64, most: Int64) {
        self.least = least
        self.most = max(least, most)
    }

    package mutating func succeeded() {
        attempts = 0
        refusals = 0
    }

    /// Milliseconds to wait before the next attempt.
    package mutating func next(using generator: inout some RandomNumberGenerator, isRefusal: Bool) -> Int64 {
        attempts = min(attempts + 1, 20)
        let ceiling = min(most, least << attempts)
        if isRefusal {
            // 60 s to 15 min with the default limits: a refusal does not go away by itself.
            refusals = min(refusals + 1, 5)
            let first = min(max(most, 1_000), 60_000)
            return min(first << (refusals - 1), first * 15)
        }
        return Int64.random(in: least...max(least, ceiling), using: &generator)
    }
}

/// The chance in waits, from a seed (SplitMix64).
package struct Jitter: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// Which broker of the list is tried: the first that can be had, beginning again at the first one after a connection
/// that proved itself.
package struct BrokerOrder: Sendable {
    private let count: Int
    package private(set) var index = 0

    package init(count: Int) {
        precondition(count > 0)
        self.count = count
    }

    /// The connection is over; `wasProven`: it had lived for a while, or its broker had acknowledged something.
    package mutating func lost(wasProven: Bool) { index = wasProven ? 0 : (index + 1) % count }
}
