package import Inventory
package import MQTT
package import Outbox
import Synchronization

// The shell between the lanes' decisions and one MQTT connection. Every method runs on the session's own thread.
//
// On each connection: subscribe to the own beacon and state, wait for the SUBACK, then up to 500 ms for the retained
// beacon. `Continuity` judges it; only then do meta, state and the first beacon go out, and after them events.

package final class Publisher: SessionHandler {
    private enum Phase {
        case idle
        case subscribing(until: Int64)
        case awaitingBeacon(until: Int64)
        case live
    }

    private let outbox: Outbox
    private let settings: DeliverySettings
    private let report: DeliveryReport
    private let watermarks: Watermarks
    /// The epoch whose events this connection sends.
    private var epoch: Epoch?
    private let now: @Sendable () -> Int64
    private let wallClock: @Sendable () -> Timestamp
    private let topics: Topics
    private let policy: ReasonPolicy

    private var reader: OutboxReader?
    private var feeds: [LaneFeed] = []
    private var scheduler: LaneScheduler
    private var pace: Pace
    private var continuity = Continuity()
    private var phase = Phase.idle
    private var session = ""
    private var retained: BeaconAnnouncement?
    private var inFlight: [UInt64: (lane: Lane, run: Run)] = [:]
    private var nextToken: UInt64 = 1
    private var nextBeaconAt: Int64 = 0
    private var healthSent: [String] = []
    private var pausedUntil: Int64 = 0
    private var connectNotBefore: Int64 = 0
    private var headLosses = HeadLosses()

    private static let announcementToken: UInt64 = 1 << 63
    private static let subackDeadline: Int64 = 15_000

    package init(
        outbox: Outbox, settings: DeliverySettings, report: DeliveryReport, watermarks: Watermarks,
        now: @escaping @Sendable () -> Int64, wallClock: @escaping @Sendable () -> Timestamp
    ) {
        self.outbox = outbox
        self.settings = settings
        self.report = report
        self.watermarks = watermarks
        self.now = now
        self.wallClock = wallClock
        topics = Topics(site: settings.site)
        policy = ReasonPolicy(noSubscriber: settings.noSubscriber)
        scheduler = LaneScheduler(weights: settings.weights)
        pace = Pace(perSecond: settings.catchUpRate)
    }

    // MARK: connecting

    package func willConnect() -> ConnectDecision {
        let moment = now()
        if moment < connectNotBefore { return .wait(milliseconds: connectNotBefore - moment) }
        do {
            session = try outbox.mintSession(now: wallClock(), above: retained?.session)
            retained = nil
            let suffix = continuity.isSuspicious ? "-probe" : ""
            let will = continuity.isSuspicious ? nil : try stateMessage("offline", reason: "lost")
            return .connect(clientIDSuffix: suffix, will: will)
        } catch {
            report.trouble("cannot begin a session: \(error)")
            return .wait(milliseconds: 5_000)
        }
    }

    package func connected(_ port: SessionPort) {
        let progress = outbox.progress
        feeds = Lane.allCases.map { LaneFeed(lane: $0, watermark: progress.lanes[$0].acked) }
        for feed in feeds.indices {
            feeds[feed].queue.sendAlone(upTo: headLosses.aloneUpTo[feeds[feed].queue.lane] ?? 0)
        }
        inFlight.removeAll(keepingCapacity: true)
        headLosses.connected()
        epoch = progress.epoch
        watermarks.begin(progress.epoch)
        phase = .subscribing(until: now() + Self.subackDeadline)
        port.subscribe([topics.beacon, topics.state])
    }

    package func subscribed(codes: [Int32], port: SessionPort) {
        guard case .subscribing = phase else { return }
        if codes.contains(where: { $0 >= 0x80 }) {
            report.trouble("the broker refuses this site's subscriptions; check its access list")
        }
        phase = .awaitingBeacon(until: now() + 500)
    }

    package func received(_ message: InboundMessage, port: SessionPort) {
        if message.topic == topics.beacon {
            guard case .awaitingBeacon = phase else { return }
            retained = readAnnouncement(BeaconAnnouncement.self, from: message.payload)
            judge(port)
        } else if message.topic == topics.state, case .live = phase {
            restorePresence(message, port: port)
        }
    }

    /// A late Will of an older session stands in the retained state: say again that this agent is here.
    private func restorePresence(_ message: InboundMessage, port: SessionPort) {
        guard let state = readAnnouncement(StateAnnouncement.self, from: message.payload),
            state.state == "offline", state.session != session
        else { return }
        announce(port) { try stateMessage("online") }
    }

    private func judge(_ port: SessionPort) {
        do {
            let judgement = continuity.judge(own: try ownMark(), retained: retained.flatMap(Self.mark))
            switch judgement {
            case .holds:
                goLive(port)
            case .lookAgain, .foreignAgent:
                connectNotBefore = now() + 60_000
                report.trouble(
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

    private static func mark(_ beacon: BeaconAnnouncement) -> BeaconMark? {
        Epoch(beacon.epoch).map { BeaconMark(epoch: $0, number: beacon.n, session: beacon.session) }
    }

    private func goLive(_ port: SessionPort) {
        if let retained, retained.session > session {
            port.disconnect(reason: "a greater session is known")
            return
        }
        phase = .live
        announce(port) { try metaMessage() }
        announce(port) { try stateMessage("online") }
        sendBeacon(port)
        report.connected()
        refill(port)
    }

    package func lost(_ loss: ConnectionLoss) {
        phase = .idle
        noteHeadLoss(reason: loss.reason)
        inFlight.removeAll(keepingCapacity: true)
        report.lost(loss.words)
    }

    // MARK: sending

    package func refill(_ port: SessionPort) {
        guard case .live = phase, now() >= pausedUntil else { return }
        guard outbox.progress.epoch == epoch else { return port.disconnect(reason: "a new epoch began") }
        do {
            let reader = try openReader()
            while port.hasRoom, try sendOne(port, reader: reader) {}
        } catch {
            reader = nil
            report.trouble("cannot read the outbox: \(error)")
        }
    }

    private func openReader() throws -> OutboxReader {
        if let reader { return reader }
        let opened = try outbox.reader()
        reader = opened
        return opened
    }

    private func sendOne(_ port: SessionPort, reader: OutboxReader) throws -> Bool {
        let progress = outbox.progress
        let moment = now()
        let ready = feeds.filter { feed in
            let queue = feed.queue
            guard queue.next <= progress.lanes[queue.lane].head else { return false }
            return queue.maySend(now: moment) && (!queue.isProbing(now: moment) || queue.messagesInFlight == 0)
        }
        guard let lane = scheduler.next(among: ready.map(\.queue.lane)) else { return false }
        let index = Int(lane.rawValue)
        let backlog = progress.lanes[lane].head - feeds[index].queue.watermark
        if backlog > 1000, !pace.take(now: moment) { return false }
        let alone = travelsAlone(feeds[index].queue, backlog: backlog, now: moment)
        guard
            let run = try feeds[index].nextRun(
                events: alone ? 1 : settings.batches.events,
                bytes: min(settings.batches.bytes, port.maxPacketBytes - 512), reader: reader)
        else { return false }
        return try send(run, lane: lane, port: port)
    }

    private func travelsAlone(_ queue: LaneQueue, backlog: Int64, now: Int64) -> Bool {
        guard let above = settings.batches.above else { return true }
        return backlog <= above || queue.next <= queue.singlesUpTo || queue.isProbing(now: now)
    }

    private func send(_ events: ArraySlice<StoredEvent>, lane: Lane, port: SessionPort) throws -> Bool {
        guard let first = events.first, let last = events.last else { return false }
        let run = Run(first.sequence, last.sequence)
        let token = nextToken
        nextToken += 1
        let message = EventMessages.message(events, topic: topics.events(lane), properties: port.supportsProperties)
        switch port.publish(message, token: token) {
        case .sent:
            inFlight[token] = (lane, run)
            feeds[Int(lane.rawValue)].sent(run)
            return true
        case .tooLarge:
            try isolate(lane, run: run, reason: "too large for the broker")
            return true
        case .lost:
            return false
        }
    }

    // MARK: answers

    package func acknowledged(token: UInt64, reason: UInt8, port: SessionPort) {
        headLosses.heardBroker()
        guard let (lane, run) = inFlight.removeValue(forKey: token) else { return }
        let index = Int(lane.rawValue)
        let verdict = policy.verdict(reason: reason, failures: feeds[index].failures)
        if verdict == .acked {
            if feeds[index].queue.acked(run) {
                feeds[index].failures = 0
                headLosses.passed(lane)
                watermarks.rose(lane, to: feeds[index].queue.watermark)
                report.acked(lane, upTo: feeds[index].queue.watermark)
            }
            return
        }
        report.trouble("\(policy.words(reason: reason)) (lane \(lane.name))")
        feeds[index].failures += 1
        do { try act(on: verdict, lane: lane, run: run, port: port) } catch {
            report.trouble("cannot act on the broker's answer: \(error)")
        }
    }

    private func act(on verdict: Verdict, lane: Lane, run: Run, port: SessionPort) throws {
        let index = Int(lane.rawValue)
        let moment = now()
        switch verdict {
        case .acked: return
        case .pauseLane(let wait): feeds[index].queue.refused(run, resumeAt: moment + wait, alone: false)
        case .pauseAll(let wait):
            feeds[index].queue.refused(run, resumeAt: moment + wait, alone: false)
            pausedUntil = moment + wait
        case .reconnect: port.disconnect(reason: "the broker reports a packet id in use")
        case .shrinkWindow(let wait):
            port.halveWindow()
            feeds[index].queue.refused(run, resumeAt: moment + wait, alone: false)
        case .isolate:
            let isSingle = run.count == 1
            let hadItsTry = run.last <= feeds[index].queue.singlesUpTo
            feeds[index].queue.refused(run, resumeAt: nil, alone: true)
            if isSingle && hadItsTry { try skip(lane, run.first, reason: "refused by the broker") }
        }
        feeds[index].rewind()
    }

    /// A run that cannot be sent goes one by one; a single event becomes a tombstone at once.
    private func isolate(_ lane: Lane, run: Run, reason: String) throws {
        let index = Int(lane.rawValue)
        if run.count > 1 {
            feeds[index].queue.sendAlone(upTo: run.last)
        } else {
            try skip(lane, run.first, reason: reason)
        }
        feeds[index].rewind()
    }

    private func skip(_ lane: Lane, _ sequence: Int64, reason: String) throws {
        try outbox.skip(lane: lane, sequence: sequence, reason: reason, now: wallClock())
        report.trouble("\(lane.name) \(sequence) could not be sent (\(reason)); a tombstone takes its place")
    }

    /// A message that costs the connection again and again is isolated, and in the end replaced by a tombstone.
    private func noteHeadLoss(reason: UInt8?) {
        let first = feeds.first { $0.queue.messagesInFlight > 0 }?.queue
        for index in feeds.indices { feeds[index].queue.lost() }
        let run = first.flatMap(\.firstInFlight)
        guard let first, let run else { return }
        let isNamed = reason == 0x95 || reason == 0x99
        switch headLosses.lost(lane: first.lane, run: run, isNamed: isNamed) {
        case .resend: return
        case .skip:
            do { try skip(first.lane, run.first, reason: "the broker closes the connection on it") } catch {
                report.trouble("cannot set a message aside: \(error)")
            }
        }
    }

    // MARK: announcements

    package func tick(nowMilliseconds: Int64, port: SessionPort?) {
        guard let port else { return }
        switch phase {
        case .subscribing(let until) where nowMilliseconds >= until:
            port.disconnect(reason: "the broker does not answer the subscription")
        case .awaitingBeacon(let until) where nowMilliseconds >= until: judge(port)
        case .live:
            if nowMilliseconds >= nextBeaconAt || report.healthReasons != healthSent { sendBeacon(port) }
            refill(port)
        default: break
        }
    }

    package func farewell(_ port: SessionPort) -> Message? {
        guard case .live = phase else { return nil }
        return try? stateMessage("offline", reason: "shutdown")
    }

    private func announce(_ port: SessionPort, _ message: () throws -> Message) {
        do { _ = port.publish(try message(), token: Self.announcementToken) } catch {
            report.trouble("cannot announce: \(error)")
        }
    }

    private func sendBeacon(_ port: SessionPort) {
        nextBeaconAt = now() + settings.beaconInterval
        healthSent = report.healthReasons
        announce(port) {
            let number = try outbox.nextBeacon(session: session)
            return retainedMessage(topics.beacon, try announcementBytes(try beacon(number: number)))
        }
    }

    private func beacon(number: Int64) throws -> BeaconAnnouncement {
        let progress = outbox.progress
        let lanes = Lane.allCases.map { lane in
            let line = progress.lanes[lane]
            let acked = max(line.acked, feeds[Int(lane.rawValue)].queue.watermark)
            return BeaconAnnouncement.LaneLine(
                name: lane.name, epoch: progress.epoch.text, head: line.head, acked: acked, backlog: line.head - acked)
        }
        let reasons = healthSent
        let positions = try Dictionary(
            outbox.sourcePositions().map { ($0.source, $0.position) }, uniquingKeysWith: { first, _ in first })
        return BeaconAnnouncement(
            n: number, session: session, instance: outbox.instance, at: wallClock().description,
            epoch: progress.epoch.text, lanes: lanes, sources: report.sourceLines(positions: positions),
            health: reasons.isEmpty ? "ok" : "degraded", reasons: reasons)
    }

    private func stateMessage(_ state: String, reason: String? = nil) throws -> Message {
        let isOnline = state == "online"
        let announcement = StateAnnouncement(
            state: state, session: session, instance: outbox.instance,
            agent: isOnline ? settings.agentVersion : nil, at: isOnline ? wallClock().description : nil, reason: reason)
        var message = retainedMessage(topics.state, try announcementBytes(announcement))
        if reason == "lost" { message.willDelaySeconds = 15 }
        return message
    }

    private func metaMessage() throws -> Message {
        let meta = MetaAnnouncement(
            agent: settings.agentVersion, instance: outbox.instance, epoch: outbox.progress.epoch.text,
            lanes: Lane.allCases.map(\.name), sources: report.metaSources, schemas: ["urn:waybill:schema:stock:1"],
            timeZone: settings.timeZone)
        return retainedMessage(topics.meta, try announcementBytes(meta))
    }

    private func retainedMessage(_ topic: String, _ payload: [UInt8]) -> Message {
        Message(topic: topic, payload: payload, retain: true, contentType: "application/json", userProperties: [])
    }
}
