import Contract
package import Inventory
import Synchronization

/// What delivery counted since the agent's start, for monitoring; safe from any thread.
package final class DeliveryFigures: Sendable {
    package struct Snapshot: Sendable {
        /// From the commit of an event to the broker's ack.
        package var captureToAck = ByLane { _ in DurationHistogram() }
        /// From the WMS's own time of an event to the broker's ack.
        package var eventAge = ByLane { _ in DurationHistogram() }
        /// From a refusal or a lost connection to the lane's next ack.
        package var recovery = ByLane { _ in DurationHistogram() }
        /// Replays and resyncs, from their begin to the last ack.
        package var replays = DurationHistogram()
        package var resyncs = DurationHistogram()
        /// Rejects, until somebody retried them well or discarded them.
        package var rejectResolutions = DurationHistogram()
        /// Leaves of the stock tree that a consumer asked for, since its own hash was another.
        package var driftLeaves: Int64 = 0
    }

    private struct State {
        var snapshot = Snapshot()
        /// The longest capture-to-ack since it was asked for, in milliseconds.
        var slowest = ByLane<Int64> { _ in 0 }
    }

    private let state = Mutex(State())

    package init() {}

    package var snapshot: Snapshot { state.withLock { $0.snapshot } }

    /// By lane the longest capture-to-ack since the last call, in milliseconds; 0 where nothing was acked.
    package func takeSlowest() -> ByLane<Int64> {
        state.withLock { state in
            defer { state.slowest = ByLane { _ in 0 } }
            return state.slowest
        }
    }

    /// A reject that was open for so long is resolved.
    package func resolved(after milliseconds: Int64) { change { $0.rejectResolutions.observe(milliseconds) } }

    func acked(_ lane: Lane, _ moments: [EventMoments], at now: Timestamp) {
        state.withLock { state in
            for moment in moments {
                let wait = now.milliseconds - moment.captured
                state.snapshot.captureToAck[lane].observe(wait)
                state.snapshot.eventAge[lane].observe(now.milliseconds - moment.occurred)
                state.slowest[lane] = max(state.slowest[lane], wait)
            }
        }
    }

    func recovered(_ lane: Lane, after milliseconds: Int64) { change { $0.recovery[lane].observe(milliseconds) } }

    func repaired(_ verb: CommandVerb, in milliseconds: Int64) {
        change { verb == .replay ? $0.replays.observe(milliseconds) : $0.resyncs.observe(milliseconds) }
    }

    func drifted() { change { $0.driftLeaves += 1 } }

    private func change(_ body: (inout sending Snapshot) -> Void) { state.withLock { body(&$0.snapshot) } }
}
