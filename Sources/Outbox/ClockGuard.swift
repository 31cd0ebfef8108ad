/// Watches the wall clock against the monotonic one: after a step, what depends on age waits a day, for an operator to
/// look or for the clock to come back. All in milliseconds.
package struct ClockGuard: Sendable, Equatable {
    package static let stepLimit: Int64 = 600_000
    package static let patience: Int64 = 24 * 3_600_000

    private var offset: Int64?
    private var waitUntil: Int64?
    /// The last step that was seen, forward when positive; 0 while the guard does not wait.
    package private(set) var step: Int64 = 0

    package init() {}

    /// Whether age can be trusted now.
    package mutating func trusts(wall: Int64, monotonic: Int64) -> Bool {
        let present = wall - monotonic
        if let offset, (present - offset).magnitude > Self.stepLimit.magnitude {
            step = present - offset
            waitUntil = monotonic + Self.patience
        }
        offset = present
        if let until = waitUntil, monotonic < until { return false }
        waitUntil = nil
        step = 0
        return true
    }
}
