import CLinux
import Glibc
package import Inventory
import Synchronization

/// Acked watermarks on their way from the MQTT thread to the outbox, so that an ack never waits for an fsync.
///
/// One update a lane stores all acks up to it; what is lost here is sent again, which is lawful.
package final class Watermarks: Sendable {
    private struct State {
        var pending: [Lane: Int64] = [:]
        var ackedMessages = 0
        var epoch: Epoch?
    }

    private let state = Mutex(State())
    private let wake: Int32
    /// Acks that are written at once rather than after the interval.
    private let eagerCount = 256

    package init() { wake = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC)) }

    deinit { close(wake) }

    /// A connection begins to send events of this epoch: what is pending of another one counts other events.
    func begin(_ epoch: Epoch) {
        state.withLock { state in
            if state.epoch != epoch { state = State(epoch: epoch) }
        }
    }

    func rose(_ lane: Lane, to sequence: Int64) {
        let mustWake = state.withLock { state in
            let isFirst = state.pending.isEmpty
            state.pending[lane] = sequence
            state.ackedMessages += 1
            return isFirst || state.ackedMessages == eagerCount
        }
        if mustWake { nudge() }
    }

    /// Wakes the waiting thread, for instance to stop it.
    package func nudge() {
        var one: UInt64 = 1
        _ = write(wake, &one, 8)
    }

    /// Blocks until something is pending or the time is over, at most `milliseconds`.
    package func wait(milliseconds: Int32) {
        var descriptor = pollfd(fd: wake, events: Int16(POLLIN), revents: 0)
        if poll(&descriptor, 1, milliseconds) > 0 {
            var count: UInt64 = 0
            _ = read(wake, &count, 8)
        }
    }

    /// Takes what is pending, and whose epoch it counts in.
    package func take() -> (epoch: Epoch?, pending: [Lane: Int64]) {
        state.withLock { state in
            defer { state = State(epoch: state.epoch) }
            return (state.epoch, state.pending)
        }
    }
}
