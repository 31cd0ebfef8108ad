import Synchronization

/// When a loop turned last: a watchdog's evidence.
final class Pulse: Sendable {
    private let at = Atomic(Clocks.monotonic())

    func beat() { at.store(Clocks.monotonic(), ordering: .relaxed) }

    /// Monotonic milliseconds.
    var last: Int64 { at.load(ordering: .relaxed) }
}
