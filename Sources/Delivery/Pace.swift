/// A token bucket of messages a second while a backlog drains; no rate means no limit.
package struct Pace: Sendable {
    private let perSecond: Double?
    private var tokens: Double
    private var last: Int64?

    package init(perSecond: Double?) {
        self.perSecond = perSecond
        tokens = perSecond.map { max(1, $0 / 10) } ?? 0
    }

    /// Takes one message's worth at this monotonic millisecond; false when it has to wait.
    package mutating func take(now: Int64) -> Bool {
        guard let perSecond else { return true }
        if let last { tokens = min(max(1, perSecond / 10), tokens + Double(now - last) * perSecond / 1000) }
        last = now
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
