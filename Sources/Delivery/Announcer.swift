import Contract
import Inventory
import MQTT
import Outbox

/// Makes and sends the three retained messages of a site, on the session's thread.
final class Announcer {
    private let outbox: Outbox
    private let settings: DeliverySettings
    private let report: DeliveryReport
    private let topics: Topics
    private let now: @Sendable () -> Int64
    private let wallClock: @Sendable () -> Timestamp

    /// Of the present connection; greater than each before it.
    var session = ""
    private var lastBeaconAt: Int64 = 0
    private var healthSent: [String] = []
    private var healthRevision = -1
    private var sourcesSent: [MetaAnnouncement.SourceLine] = []
    private var metaRevision = -1
    /// The last beacon had no root, since the tree was not built yet.
    private var lacksRoot = false

    /// What answers to announcements carry; no token of an event has its highest bit.
    static let token: UInt64 = 1 << 63
    /// A beacon is a commit: health that flaps must not make one of every message.
    private static let leastInterval: Int64 = 1_000

    init(
        outbox: Outbox, settings: DeliverySettings, report: DeliveryReport, topics: Topics,
        now: @escaping @Sendable () -> Int64, wallClock: @escaping @Sendable () -> Timestamp
    ) {
        self.outbox = outbox
        self.settings = settings
        self.report = report
        self.topics = topics
        self.now = now
        self.wallClock = wallClock
    }

    // MARK: sending

    func sendMeta(_ port: SessionPort) {
        metaRevision = report.revision
        announce(port, "meta") { try meta(maxPacket: port.maxPacketBytes) }
    }

    /// Whether what meta says of the sources changed since it was sent.
    var isMetaDue: Bool {
        guard report.revision != metaRevision else { return false }
        metaRevision = report.revision
        return report.metaSources != sourcesSent
    }

    func sendOnline(_ port: SessionPort) { announce(port, "state") { try state("online") } }

    /// Its number is committed before it is sent. `acked`: each lane's watermark, which the outbox may store later.
    /// Nil when it could not be made.
    @discardableResult
    func sendBeacon(_ port: SessionPort, acked: [Int64]) -> PublishOutcome? {
        lastBeaconAt = now()
        return announce(port, "beacon") {
            let facts = try outbox.nextBeacon(session: session)
            lacksRoot = facts.root == nil
            let lanes = try laneLines(acked, facts.progress)
            report.late(Dictionary(uniqueKeysWithValues: lanes.compactMap(lateness)))
            healthRevision = report.revision
            healthSent = report.healthReasons
            return retained(topics.beacon, try wireBytes(try beacon(facts, lanes: lanes)))
        }
    }

    /// Whether the next beacon is due: by time, because the tree is built, or because health changed.
    func isBeaconDue(now: Int64) -> Bool {
        if now - lastBeaconAt >= settings.beaconInterval { return true }
        if lacksRoot, outbox.hasTree, now - lastBeaconAt >= Self.leastInterval { return true }
        guard report.revision != healthRevision, now - lastBeaconAt >= Self.leastInterval else { return false }
        healthRevision = report.revision
        return report.healthReasons != healthSent
    }

    @discardableResult
    private func announce(_ port: SessionPort, _ what: String, _ message: () throws -> Message) -> PublishOutcome? {
        do {
            let message = try message()
            let outcome = port.publish(message, token: Self.token)
            guard outcome == .tooLarge else { return outcome }
            report.trouble(
                "the broker takes at most \(port.maxPacketBytes) bytes, this site's \(what) has "
                    + "\(message.payload.count); raise the broker's maximum packet size")
            return outcome
        } catch {
            report.trouble("cannot announce the \(what): \(error)")
            return nil
        }
    }

    /// No subscriber is no fault here: retained messages are for whoever comes.
    func answered(reason: UInt8) {
        guard reason >= 0x80 else { return }
        report.trouble(
            reason == 0x87
                ? "the broker does not authorise this site to publish its state, beacon or meta; check its access list"
                : "the broker refused an announcement (0x\(String(reason, radix: 16)))")
    }

    // MARK: messages

    func will() throws -> Message {
        var message = try state("offline", reason: "lost")
        message.willDelaySeconds = 15
        return message
    }

    func farewell() throws -> Message { try state("offline", reason: "shutdown") }

    private func state(_ state: String, reason: String? = nil) throws -> Message {
        let isOnline = state == "online"
        let announcement = StateAnnouncement(
            state: state, session: session, instance: outbox.instance,
            agent: isOnline ? settings.agentVersion : nil, at: isOnline ? wallClock().description : nil, reason: reason)
        return retained(topics.state, try wireBytes(announcement))
    }

    private func meta(maxPacket: Int) throws -> Message {
        sourcesSent = report.metaSources
        let options = outbox.options
        let previous = try outbox.reader().previousEpoch().map { epoch, heads in
            MetaAnnouncement.Previous(
                epoch: epoch.text,
                heads: Dictionary(uniqueKeysWithValues: Lane.allCases.map { ($0.name, heads[$0]) }))
        }
        let meta = MetaAnnouncement(
            agent: settings.agentVersion, instance: outbox.instance, epoch: outbox.progress.epoch.text,
            previous: previous, lanes: Lane.allCases.map(\.name), sources: sourcesSent,
            schemas: ["urn:waybill:schema:stock:1"],
            limits: .init(
                maxPacket: maxPacket, batchEvents: settings.batches.above == nil ? 1 : settings.batches.events,
                batchBytes: settings.batches.bytes, outboxBytes: options.limitBytes),
            retention: .init(
                milliseconds: options.keepMilliseconds, bytes: options.keepBytes, seenDays: options.seenDays),
            timeZone: settings.timeZone)
        return retained(topics.meta, try wireBytes(meta))
    }

    private func laneLines(_ acked: [Int64], _ progress: Progress) throws -> [BeaconAnnouncement.LaneLine] {
        let receipts = try outbox.receipts
        let reader = try outbox.reader()
        return try Lane.allCases.map { lane in
            let line = progress.lanes[lane]
            let acked = max(line.acked, acked[Int(lane.rawValue)])
            let waiting = try reader.backlog(of: lane, after: acked)
            let backlog = max(0, line.head - acked)
            let age = waiting.capturedAt.map { max(0, wallClock().milliseconds - $0.milliseconds) } ?? 0
            return BeaconAnnouncement.LaneLine(
                name: lane.name, epoch: progress.epoch.text, head: line.head, acked: acked, oldest: waiting.oldest,
                backlog: backlog, backlogBytes: waiting.meanBytes * backlog, oldestUnackedAge: backlog > 0 ? age : 0,
                receipted: Self.receipted(receipts, lane, waitingFor: settings.waitReceipt))
        }
    }

    /// Of the requester that retention waits for, else the furthest of all.
    private static func receipted(_ receipts: [Receipt], _ lane: Lane, waitingFor requester: String?) -> Int64? {
        receipts.filter { $0.lane == lane && (requester == nil || $0.requester == requester) }.map(\.sequence).max()
    }

    /// A lane whose oldest event waits longer than allowed, with words for it.
    private func lateness(_ line: BeaconAnnouncement.LaneLine) -> (Lane, String)? {
        guard let lane = Lane(name: line.name), let limit = settings.ageLimits[lane], line.oldestUnackedAge > limit
        else { return nil }
        return (lane, "lane \(line.name): events wait longer than \(limit / 1_000) s for the broker")
    }

    private func beacon(_ facts: BeaconFacts, lanes: [BeaconAnnouncement.LaneLine]) throws -> BeaconAnnouncement {
        let positions = try Dictionary(
            outbox.sourcePositions().map { ($0.source, $0.position) }, uniquingKeysWith: { first, _ in first })
        return BeaconAnnouncement(
            n: facts.number, session: session, instance: outbox.instance, at: wallClock().description,
            epoch: facts.progress.epoch.text, tree: facts.root?.hex, lanes: lanes,
            sources: report.sourceLines(positions: positions, now: now()),
            health: healthSent.isEmpty ? "ok" : "degraded", reasons: healthSent)
    }

    private func retained(_ topic: String, _ payload: [UInt8]) -> Message {
        Message(topic: topic, payload: payload, retain: true, contentType: "application/json", userProperties: [])
    }
}
