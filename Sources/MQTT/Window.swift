/// How much may be in flight: messages and bytes. Begins each connection at 20, doubles per clean window, halves when
/// the broker asks for less.
package struct Window: Sendable {
    private let most: Int
    package private(set) var size: Int
    private var ackedSinceGrowth = 0
    package private(set) var count = 0
    package private(set) var bytes = 0

    /// What each connection begins with.
    package static let first = 20
    private static let mostBytes = 1 << 20

    /// `receiveMaximum`: the broker's, where it named one.
    package init(configured: Int, receiveMaximum: Int?, start: Int = first) {
        let allowed = receiveMaximum.map { $0 < 8 ? $0 : $0 - 2 } ?? 500
        most = max(1, min(configured, 500, allowed))
        size = max(1, min(start, most))
    }

    package var hasRoom: Bool { count < size && bytes < Self.mostBytes }

    package mutating func sent(bytes added: Int) {
        count += 1
        bytes += added
    }

    package mutating func acked(bytes removed: Int) {
        count -= 1
        bytes -= removed
        ackedSinceGrowth += 1
        if ackedSinceGrowth >= size {
            size = min(most, size * 2)
            ackedSinceGrowth = 0
        }
    }

    package mutating func halve() {
        size = max(1, size / 2)
        ackedSinceGrowth = 0
    }
}

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
