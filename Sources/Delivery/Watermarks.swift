import CLinux
import Glibc
package import Inventory
import Synchronization

/// Acked watermarks on their way from the MQTT thread to the outbox, so that an ack never waits for an fsync.
///
/// One update a lane stores all acks up to it; what is lost here is sent again, which is lawful.
package final class Watermarks: Sendable {
    private struct State {
        /// By lane; 0 is nothing new.
        var pending: [Int64] = Lane.allCases.map { _ in 0 }
        var messages = 0
        var epoch: Epoch?
        var isUrgent = false
    }

    private let state = Mutex(State())
    private let wake: Int32

    /// Acks that are written at once rather than after the interval.
    private static let eagerCount = 256
    /// How long acks gather, in milliseconds: a write is a wait for the disk, and the WMS needs that too.
    private static let gathering: Int32 = 100

    package init() { wake = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC)) }

    deinit { close(wake) }

    /// A connection begins to send events of this epoch: what is pending of another one counts other events.
    func begin(_ epoch: Epoch) {
        state.withLock { state in
            if state.epoch != epoch { state = State(epoch: epoch, isUrgent: state.isUrgent) }
        }
    }

    func rose(_ lane: Lane, to sequence: Int64) {
        let mustWake = state.withLock { state in
            state.pending[Int(lane.rawValue)] = sequence
            state.messages += 1
            if state.messages == Self.eagerCount { state.isUrgent = true }
            return state.messages == 1 || state.messages == Self.eagerCount
        }
        if mustWake { signal() }
    }

    /// Wakes the waiting thread at once, for instance to stop it.
    package func nudge() {
        state.withLock { $0.isUrgent = true }
        signal()
    }

    private func signal() {
        var one: UInt64 = 1
        _ = write(wake, &one, 8)
    }

    /// Blocks until enough is pending, what is pending has gathered long enough, or the time is over; at most
    /// `milliseconds` and the time to gather.
    package func wait(milliseconds: Int32) {
        block(milliseconds)
        if state.withLock({ $0.messages > 0 && !$0.isUrgent }) { block(Self.gathering) }
    }

    private func block(_ milliseconds: Int32) {
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
            var pending: [Lane: Int64] = [:]
            for lane in Lane.allCases where state.pending[Int(lane.rawValue)] > 0 {
                pending[lane] = state.pending[Int(lane.rawValue)]
            }
            return (state.epoch, pending)
        }
    }
}
