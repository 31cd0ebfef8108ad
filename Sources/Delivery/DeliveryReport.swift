import Inventory
import Synchronization

/// What delivery tells the rest of the agent: connection, acks and what is wrong, safe from any thread.
package final class DeliveryReport: Sendable {
    private struct State {
        var isConnected = false
        var trouble: String?
        var pausedReason: String?
        var damage: String?
        var acked: [Lane: Int64] = [:]
        var sources: [String: String] = [:]
        var meta: [MetaAnnouncement.SourceLine] = []
    }

    private let state = Mutex(State())
    private let onTrouble: @Sendable (String) -> Void

    /// `onTrouble` hears each new trouble once, on the thread that met it.
    package init(onTrouble: @escaping @Sendable (String) -> Void) { self.onTrouble = onTrouble }

    package var isConnected: Bool { state.withLock { $0.isConnected } }

    /// Reasons in words; empty while all is well.
    package var healthReasons: [String] {
        state.withLock { state in
            var reasons = [state.damage, state.trouble, state.pausedReason].compactMap(\.self)
            for (name, status) in state.sources.sorted(by: { $0.key < $1.key }) where status != "ok" {
                reasons.append("source \(name): \(status)")
            }
            return reasons
        }
    }

    package var metaSources: [MetaAnnouncement.SourceLine] { state.withLock { $0.meta } }

    package func describe(sources: [MetaAnnouncement.SourceLine]) { state.withLock { $0.meta = sources } }

    package func source(_ name: String, status: String) { state.withLock { $0.sources[name] = status } }

    /// Stays until the agent starts again.
    package func damaged(_ reason: String) { state.withLock { $0.damage = reason } }

    package func paused(_ reason: String?) { state.withLock { $0.pausedReason = reason } }

    func connected() {
        state.withLock { state in
            state.isConnected = true
            state.trouble = nil
        }
    }

    func lost(_ words: String) {
        state.withLock { $0.isConnected = false }
        trouble("broker: \(words)")
    }

    func trouble(_ words: String) {
        let isNew = state.withLock { state in
            defer { state.trouble = words }
            return state.trouble != words
        }
        if isNew { onTrouble(words) }
    }

    func acked(_ lane: Lane, upTo sequence: Int64) {
        state.withLock { state in
            state.acked[lane] = sequence
            if state.isConnected { state.trouble = nil }
        }
    }

    package func sourceLines(positions: [String: String]) -> [BeaconAnnouncement.SourceLine] {
        state.withLock { state in
            state.sources.sorted { $0.key < $1.key }.map {
                BeaconAnnouncement.SourceLine(name: $0.key, status: $0.value, position: positions[$0.key])
            }
        }
    }
}
