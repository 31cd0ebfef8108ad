package import Contract
import Synchronization

/// What delivery tells the rest of the agent: connection, acks and what is wrong, safe from any thread.
package final class DeliveryReport: Sendable {
    private struct State {
        var isConnected = false
        /// Until a connection is live again, or an event is acked.
        var trouble: String?
        /// Why nothing may be published though the broker could be had; until a connection is live.
        var held: String?
        /// Until an event is acked.
        var refusal: String?
        var pausedReason: String?
        var damage: String?
        /// Lanes whose events wait too long.
        var late: [String] = []
        var sources: [String: String] = [:]
        /// Since when a source has more than was read, in monotonic milliseconds.
        var behind: [String: Int64] = [:]
        var meta: [MetaAnnouncement.SourceLine] = []
    }

    private let state = Mutex(State())
    /// +1 with each change of what the reasons and meta are made of.
    private let changes = Atomic(0)
    private let hasTrouble = Atomic(false)
    private let onTrouble: @Sendable (String) -> Void

    /// `onTrouble` hears each new trouble once, on the thread that met it.
    package init(onTrouble: @escaping @Sendable (String) -> Void) { self.onTrouble = onTrouble }

    /// Differs when the reasons or meta may differ: cheap to look at.
    var revision: Int { changes.load(ordering: .acquiring) }

    package var isConnected: Bool { state.withLock { $0.isConnected } }

    /// Reasons in words; empty while all is well.
    package var healthReasons: [String] {
        state.withLock { state in
            var reasons = [state.damage, state.held, state.refusal, state.trouble, state.pausedReason].compactMap(
                \.self)
            reasons += state.late
            for (name, status) in state.sources.sorted(by: { $0.key < $1.key }) where status != "ok" {
                reasons.append("source \(name): \(status)")
            }
            return reasons
        }
    }

    package var metaSources: [MetaAnnouncement.SourceLine] { state.withLock { $0.meta } }

    package func describe(sources: [MetaAnnouncement.SourceLine]) { change { $0.meta = sources } }

    package func source(_ name: String, status: String) { change { $0.sources[name] = status } }

    /// Since when the source has more than was read, in monotonic milliseconds; nil: it is caught up.
    package func source(_ name: String, behindSince moment: Int64?) { state.withLock { $0.behind[name] = moment } }

    package func forget(source name: String) { change { $0.sources[name] = nil } }

    /// Stays until the agent starts again.
    package func damaged(_ reason: String) { change { $0.damage = reason } }

    package func paused(_ reason: String?) {
        if state.withLock({ $0.pausedReason != reason }) { change { $0.pausedReason = reason } }
    }

    func late(_ words: [String]) {
        let before = state.withLock { $0.late }
        guard before != words else { return }
        change { $0.late = words }
        for word in words where !before.contains(word) { onTrouble(word) }
    }

    private func change(_ body: (inout sending State) -> Void) {
        state.withLock { state in
            body(&state)
            hasTrouble.store(state.trouble != nil || state.refusal != nil, ordering: .relaxed)
        }
        changes.add(1, ordering: .acquiringAndReleasing)
    }

    func connected() {
        change { state in
            state.isConnected = true
            state.trouble = nil
            state.held = nil
        }
    }

    /// `words`: why, unless that is said already.
    func lost(_ words: String?) {
        change { $0.isConnected = false }
        if let words { trouble("broker: \(words)") }
    }

    func trouble(_ words: String) { say(words, \.trouble) }

    func held(_ words: String) { say(words, \.held) }

    func refused(_ words: String) { say(words, \.refusal) }

    private func say(_ words: String, _ place: WritableKeyPath<State, String?>) {
        let isNew = state.withLock { $0[keyPath: place] != words }
        guard isNew else { return }
        change { $0[keyPath: place] = words }
        onTrouble(words)
    }

    /// The broker took an event: what was wrong before is over.
    func acked() {
        guard hasTrouble.load(ordering: .relaxed) else { return }
        change { state in
            state.refusal = nil
            if state.isConnected { state.trouble = nil }
        }
    }

    /// `now` in monotonic milliseconds.
    package func sourceLines(positions: [String: String], now: Int64) -> [BeaconAnnouncement.SourceLine] {
        state.withLock { state in
            state.sources.sorted { $0.key < $1.key }.map {
                BeaconAnnouncement.SourceLine(
                    name: $0.key, status: $0.value, position: positions[$0.key],
                    lag: state.behind[$0.key].map { max(0, now - $0) } ?? 0)
            }
        }
    }
}
