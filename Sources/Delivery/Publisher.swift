import Contract
package import Inventory
package import MQTT
package import Outbox

// The shell between the lanes' decisions and one MQTT connection. Every method runs on the session's own thread.
//
// On each connection: subscribe to the own beacon, meta and state, wait for the SUBACK, then up to 500 ms for what is
// retained of the first two. `Continuity` judges it; only then do meta, state and the first beacon go out, and after
// them events.

package final class Publisher: SessionHandler {
    private enum Phase {
        case idle
        case subscribing(until: Int64)
        case awaitingRetained(until: Int64)
        case live
    }

    private let outbox: Outbox
    private let report: DeliveryReport
    private let now: @Sendable () -> Int64
    private let wallClock: @Sendable () -> Timestamp
    private let topics: Topics
    private let announcer: Announcer
    private let sender: LaneSender
    private let commands: CommandRunner

    private var continuity = Continuity()
    private var phase = Phase.idle
    private var retained = Retained()
    private var connectNotBefore: Int64 = 0
    /// What the broker kept of this site when the connection began.
    private struct Retained {
        var beacon: BeaconMark?
        var meta: Epoch?
        var hasBeacon = false
        var hasMeta = false
    }

    /// This connection only looks: its client id and its missing Will are no agent's.
    private var isProbe = false

    private static let subackDeadline: Int64 = 15_000
    private static let retainedDeadline: Int64 = 500
    private static let lookAgainAfter: Int64 = 60_000
    private static let longestWait: Int64 = 1_000

    package init(
        outbox: Outbox, settings: DeliverySettings, report: DeliveryReport, watermarks: Watermarks,
        board: RepairBoard = RepairBoard(), now: @escaping @Sendable () -> Int64,
        wallClock: @escaping @Sendable () -> Timestamp
    ) {
        self.outbox = outbox
        self.report = report
        self.now = now
        self.wallClock = wallClock
        topics = Topics(site: settings.site)
        announcer = Announcer(
            outbox: outbox, settings: settings, report: report, topics: topics, now: now, wallClock: wallClock)
        sender = LaneSender(
            outbox: outbox, settings: settings, report: report, watermarks: watermarks, topics: topics, now: now,
            wallClock: wallClock)
        commands = CommandRunner(
            outbox: outbox, settings: settings, report: report, board: board, topics: topics, now: now,
            wallClock: wallClock)
    }

    // MARK: connecting

    package func willConnect() -> ConnectDecision {
        let moment = now()
        if moment < connectNotBefore { return .wait(milliseconds: min(connectNotBefore - moment, Self.longestWait)) }
        do {
            announcer.session = try outbox.mintSession(now: wallClock(), above: retained.beacon?.session)
            retained = Retained()
            isProbe = continuity.isSuspicious
            return .connect(clientIDSuffix: isProbe ? "-probe" : "", will: isProbe ? nil : try announcer.will())
        } catch {
            report.trouble("cannot begin a session: \(error)")
            return .wait(milliseconds: 5_000)
        }
    }

    package func connected(_ port: SessionPort) {
        sender.begin()
        phase = .subscribing(until: now() + Self.subackDeadline)
        port.subscribe([topics.beacon, topics.meta, topics.state, topics.allCommands])
    }

    package func subscribed(codes: [Int32], port: SessionPort) {
        guard case .subscribing = phase else { return }
        if let code = codes.first, code >= 0x80 {
            // Without it neither a clone nor a rollback would be noticed.
            report.held(
                "the broker does not let this site read \(topics.beacon), so nothing is published; allow it in its "
                    + "access list")
            connectNotBefore = now() + Self.lookAgainAfter
            return port.disconnect(reason: "the subscription to the own beacon is refused")
        }
        if codes.contains(where: { $0 >= 0x80 }) {
            report.trouble(
                "the broker refuses this site's subscription to its meta, state or commands; check its access list")
        }
        phase = .awaitingRetained(until: now() + Self.retainedDeadline)
        judgeWhenComplete(port)
    }

    package func received(_ message: InboundMessage, port: SessionPort) {
        // A probe of the access list must not pass for a retained beacon; an empty command is refused as any other.
        guard !message.payload.isEmpty || message.topic.hasPrefix(topics.commandPrefix) else { return }
        switch (message.topic, phase) {
        case (topics.beacon, .live): compare(message, port: port)
        case (topics.state, .live): restorePresence(message, port: port)
        // What is retained may come before the SUBACK.
        case (topics.beacon, .subscribing), (topics.beacon, .awaitingRetained):
            retained.beacon = mark(message)
            retained.hasBeacon = true
            judgeWhenComplete(port)
        case (topics.meta, .subscribing), (topics.meta, .awaitingRetained):
            retained.meta = readWire(MetaMark.self, from: message.payload).flatMap { believable($0.epoch) }
            retained.hasMeta = true
            judgeWhenComplete(port)
        case (_, .live) where message.topic.hasPrefix(topics.commandPrefix):
            commands.received(message, port: port)
            commands.refill(port)
        default: break
        }
    }

    /// While this agent lives it hears its own beacons. One that is ahead of them was written by somebody else.
    private func compare(_ message: InboundMessage, port: SessionPort) {
        guard let mark = mark(message), let own = try? ownMark(), !Continuity.holds(own: own, retained: mark)
        else { return }
        leave(port, "a beacon of another agent of this site came")
    }

    private func leave(_ port: SessionPort, _ words: String) {
        report.trouble(words)
        port.disconnect(reason: words)
    }

    /// A late Will of an older session stands in the retained state: say again that this agent is here.
    private func restorePresence(_ message: InboundMessage, port: SessionPort) {
        guard let state = readWire(StateAnnouncement.self, from: message.payload),
            state.state == "offline", state.session != announcer.session
        else { return }
        announcer.sendOnline(port)
    }

    private func judgeWhenComplete(_ port: SessionPort) {
        guard case .awaitingRetained = phase, retained.hasBeacon, retained.hasMeta else { return }
        judge(port)
    }

    private func judge(_ port: SessionPort) {
        do {
            let own = try ownMark()
            let last = Continuity.lastWriter(beacon: retained.beacon, meta: retained.meta, own: own.epoch)
            let judgement = continuity.judge(own: own, retained: last)
            switch judgement {
            case .holds:
                goLive(port)
            case .lookAgain, .foreignAgent:
                connectNotBefore = now() + Self.lookAgainAfter
                report.held(
                    judgement == .lookAgain
                        ? "the retained beacon is ahead of this outbox; looking again in 60 s before publishing"
                        : "another agent publishes as this site; nothing is published until it stops")
                port.disconnect(reason: "the retained beacon was written by somebody else")
            case .rolledBack(let epoch):
                let begun = try outbox.startEpoch(above: [epoch], reason: "rolled back", now: wallClock())
                continuity = Continuity()
                report.trouble("this outbox was rolled back; epoch \(begun.text) begun")
                port.disconnect(reason: "a new epoch begins")
            }
        } catch {
            report.trouble("cannot judge the retained beacon: \(error)")
            port.disconnect(reason: "the outbox cannot be read")
        }
    }

    private func ownMark() throws -> BeaconMark {
        let last = try outbox.lastBeacon()
        return BeaconMark(epoch: outbox.progress.epoch, number: last.number, session: last.session)
    }

    /// Nil for what no agent wrote.
    private func mark(_ message: InboundMessage) -> BeaconMark? {
        guard let beacon = readWire(WireMark.self, from: message.payload) else { return nil }
        return believable(beacon.epoch).map { BeaconMark(epoch: $0, number: beacon.n, session: beacon.session) }
    }

    /// An epoch of the year 9999 is nobody's: to begin one above it would leave none for the next time, and to wait for it
    /// would let whoever wrote it stop this site. It is written over.
    private func believable(_ text: String) -> Epoch? {
        guard let epoch = Epoch(text) else { return nil }
        if epoch.isAtTheEnd { report.trouble("a retained announcement names epoch \(text); it is written over") }
        return epoch.isAtTheEnd ? nil : epoch
    }

    /// What of a beacon says who wrote it: all that continuity needs, whatever else its version holds.
    private struct WireMark: Decodable {
        var n: Int64
        var session: String
        var epoch: String
    }

    private struct MetaMark: Decodable {
        var epoch: String
    }

    private func goLive(_ port: SessionPort) {
        if isProbe { return port.disconnect(reason: "the looking is over") }
        if let beacon = retained.beacon, beacon.session > announcer.session {
            return port.disconnect(reason: "a greater session is known")
        }
        announcer.sendMeta(port)
        announcer.sendOnline(port)
        let beacon = announcer.sendBeacon(port, acked: sender.acked)
        guard beacon == .sent else {
            // Events without a beacon before them could not be told from a fork.
            if beacon != .lost { connectNotBefore = now() + Self.lookAgainAfter }
            return port.disconnect(reason: "the first beacon could not be sent")
        }
        phase = .live
        commands.session = announcer.session
        report.connected()
        refill(port)
    }

    // MARK: connected

    package func refill(_ port: SessionPort) {
        guard case .live = phase else { return }
        commands.refillFirst(port)
        if !sender.refill(port) { port.disconnect(reason: "a new epoch began") }
        commands.refill(port)
    }

    package func acknowledged(token: UInt64, reason: UInt8, port: SessionPort) {
        if token == Announcer.token {
            announcer.answered(reason: reason)
        }
        if commands.acknowledged(token: token, reason: reason) { return }
        sender.acknowledged(token: token, reason: reason, port: port)
    }

    package func tick(nowMilliseconds: Int64, port: SessionPort?) {
        guard let port else { return }
        let moment = now()
        switch phase {
        case .subscribing(let until) where moment >= until:
            leave(port, "the broker does not answer the subscription")
        case .awaitingRetained(let until) where moment >= until: judge(port)
        case .live where outbox.progress.epoch == sender.epoch:
            if announcer.isMetaDue { announcer.sendMeta(port) }
            if announcer.isBeaconDue(now: moment) { announcer.sendBeacon(port, acked: sender.acked) }
            commands.tick(port)
        default: break
        }
    }

    package func farewell(_ port: SessionPort) -> Message? {
        guard case .live = phase else { return nil }
        return try? announcer.farewell()
    }

    package func lost(_ loss: ConnectionLoss) {
        phase = .idle
        sender.lost(loss)
        commands.lost()
        // Who left by choice said why; what came of it would hide that.
        report.lost(loss.isOurs ? nil : loss.words)
    }
}
