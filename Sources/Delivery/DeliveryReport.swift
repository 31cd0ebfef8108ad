package import Contract
package import Inventory
import Synchronization

/// What delivery and capture tell the rest of the agent: connection, acks, progress and what is wrong, safe from any thread.
package final class DeliveryReport: Sendable {
    private struct State {
        var isConnected = false
        /// When the connection became live, or was lost; nil before the first.
        var connectionChanged: Timestamp?
        var book = HealthBook()
        var sources: [String: SourceProgress] = [:]
        var meta: [MetaAnnouncement.SourceLine] = []
    }

    private let state = Mutex(State())
    /// What was counted and measured since the start.
    package let figures = DeliveryFigures()
    /// +1 with each change of what the reasons and meta are made of.
    private let changes = Atomic(0)
    private let hasTrouble = Atomic(false)
    private let now: @Sendable () -> Timestamp
    private let onTrouble: @Sendable (String) -> Void

    /// `onTrouble` hears each new trouble once, on the thread that met it.
    package init(now: @escaping @Sendable () -> Timestamp, onTrouble: @escaping @Sendable (String) -> Void) {
        self.now = now
        self.onTrouble = onTrouble
    }

    /// Differs when the reasons or meta may differ: cheap to look at.
    var revision: Int { changes.load(ordering: .acquiring) }

    package var isConnected: Bool { state.withLock { $0.isConnected } }

    /// Whether the connection is live, and since when it is or is not; nil before the first.
    package var connection: (isLive: Bool, since: Timestamp?) {
        state.withLock { ($0.isConnected, $0.connectionChanged) }
    }

    /// The gravest first; empty while all is well.
    package var reasons: [HealthReason] { state.withLock { $0.book.all } }

    /// The same in words.
    package var healthReasons: [String] { reasons.map(\.words) }

    // MARK: sources

    package var metaSources: [MetaAnnouncement.SourceLine] { state.withLock { $0.meta } }

    package func describe(sources: [MetaAnnouncement.SourceLine]) { change { $0.meta = sources } }

    /// `status`: `ok`, or why the source is not read, in words.
    package func source(_ name: String, status: String) {
        let now = now()
        change { state in
            state.sources[name, default: SourceProgress()].status = status
            state.book.set(.source, name, to: status == "ok" ? nil : "source \(name): \(status)", now: now)
        }
    }

    package func source(_ name: String, holds hold: SourceHoldNote?) {
        state.withLock { $0.sources[name, default: SourceProgress()].hold = hold }
    }

    /// Since when the source has more than was read, in monotonic milliseconds; nil: it is caught up.
    package func source(_ name: String, behindSince moment: Int64?) {
        state.withLock { $0.sources[name, default: SourceProgress()].behindSince = moment }
    }

    /// All that the source had then is durable; nil: nobody knows of it any more. Told once a second at most.
    package func source(_ name: String, caughtUpAt moment: Timestamp?) {
        state.withLock { state in
            let before = state.sources[name]?.caughtUp
            state.sources[name, default: SourceProgress()].caughtUp = moment.map { moment in
                let gap = before.map { moment.milliseconds - $0.at.milliseconds } ?? .max
                return ((0...Self.longestGap).contains(gap) ? before?.since ?? moment : moment, moment)
            }
        }
    }

    /// A source that was caught up a minute ago and is now was caught up in between.
    private static let longestGap: Int64 = 60_000

    /// What a source gave and is committed, and where its last record stood.
    package func source(_ name: String, gave counts: SourceCounts, upTo position: String) {
        let now = now()
        state.withLock { state in
            state.sources[name, default: SourceProgress()].counts.add(counts)
            state.sources[name]?.lastRecord = now
            state.sources[name]?.lastPosition = position
        }
    }

    package func forget(source name: String) {
        let now = now()
        change { state in
            state.sources[name] = nil
            state.book.set(.source, name, to: nil, now: now)
        }
    }

    package func progress(of source: String) -> SourceProgress? { state.withLock { $0.sources[source] } }

    /// `now` in monotonic milliseconds.
    package func sourceLines(positions: [String: String], now: Int64) -> [BeaconAnnouncement.SourceLine] {
        state.withLock { state in
            state.sources.filter { $0.value.status != nil }.sorted { $0.key < $1.key }.map {
                BeaconAnnouncement.SourceLine(
                    name: $0.key, status: $0.value.status ?? "", position: positions[$0.key],
                    lag: $0.value.behindSince.map { max(0, now - $0) } ?? 0)
            }
        }
    }

    // MARK: what is wrong

    /// Stays until the agent starts again.
    package func damaged(_ reason: String) { tell(reason, .damage) }

    package func paused(_ reason: String?) { tell(reason, .paused) }

    /// Why the local page cannot be served; nil: it is.
    package func page(_ reason: String?) {
        if tell(reason, .page), let reason { onTrouble(reason) }
    }

    /// By lane, in words, what waits too long.
    func late(_ words: [Lane: String]) {
        for lane in Lane.allCases where tell(words[lane], .late, lane.name) {
            if let words = words[lane] { onTrouble(words) }
        }
    }

    func connected() {
        let now = now()
        change { state in
            state.isConnected = true
            state.connectionChanged = now
            state.book.set(.broker, to: nil, now: now)
            state.book.set(.held, to: nil, now: now)
        }
    }

    /// `words`: why, unless that is said already.
    func lost(_ words: String?) {
        let now = now()
        change { state in
            if state.isConnected { state.connectionChanged = now }
            state.isConnected = false
        }
        if let words { trouble("broker: \(words)") }
    }

    func trouble(_ words: String) { if tell(words, .broker) { onTrouble(words) } }

    func held(_ words: String) { if tell(words, .held) { onTrouble(words) } }

    func refused(_ words: String) { if tell(words, .refusal) { onTrouble(words) } }

    /// The broker took an event: what was wrong before is over.
    func acked() {
        guard hasTrouble.load(ordering: .relaxed) else { return }
        let now = now()
        change { state in
            state.book.set(.refusal, to: nil, now: now)
            if state.isConnected { state.book.set(.broker, to: nil, now: now) }
        }
    }

    /// False when that is said already.
    @discardableResult
    private func tell(_ words: String?, _ kind: HealthReason.Kind, _ subject: String = "") -> Bool {
        let now = now()
        guard state.withLock({ $0.book.words(kind, subject) }) != words else { return false }
        change { $0.book.set(kind, subject, to: words, now: now) }
        return true
    }

    private func change(_ body: (inout sending State) -> Void) {
        state.withLock { state in
            body(&state)
            let hasTrouble = state.book.words(.broker) != nil || state.book.words(.refusal) != nil
            self.hasTrouble.store(hasTrouble, ordering: .relaxed)
        }
        changes.add(1, ordering: .acquiringAndReleasing)
    }
}
