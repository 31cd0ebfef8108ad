/// A token bucket of messages a second while a backlog drains; no rate means no limit.
///
/// It holds what the rate gives in the longest wait of the session's loop, so that an idle loop keeps the rate too.
package struct Pace: Sendable {
    private let perSecond: Double?
    private var tokens = 1.0
    private var last: Int64?

    private static let heldMilliseconds = 250.0

    package init(perSecond: Double?) { self.perSecond = perSecond }

    /// Whether there is a message's worth at this monotonic millisecond.
    package mutating func allows(now: Int64) -> Bool {
        guard let perSecond else { return true }
        let most = max(1, perSecond * Self.heldMilliseconds / 1_000)
        if let last { tokens = min(most, tokens + Double(now - last) * perSecond / 1_000) }
        last = now
        return tokens >= 1
    }

    /// One message went out.
    package mutating func took() {
        if perSecond != nil { tokens -= 1 }
    }
}
