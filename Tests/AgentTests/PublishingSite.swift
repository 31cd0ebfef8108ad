import Delivery
import Foundation
import Inventory
import MQTT
import Outbox
import Synchronization
import Testing

@testable import Agent

/// What the centre hears of all sites, in order.
final class Centre: Sendable {
    struct Event: Decodable, Sendable {
        var id: String
        var type: String
        var sequence: String
        var epoch: String
        var lane: String
    }

    struct Line: Decodable, Sendable {
        var name: String
        var oldest: Int64
        var backlog: Int64
        var backlog_bytes: Int64
        var oldest_unacked_age_ms: Int64
    }

    struct Mark: Decodable, Sendable {
        var tree: String?
        var lanes: [Line]
        var n: Int64
        var session: String
        var epoch: String
        var reasons: [String]
    }

    private struct Seen {
        var events: [Event] = []
        var beacons: [Mark] = []
        var metas: [String] = []
        var states: [String] = []
        var topics: [String] = []
        var isSubscribed = false
    }

    private let seen = Mutex(Seen())
    private let session = Mutex<MQTTSession?>(nil)

    init(port: UInt16) throws {
        var options = MQTTOptions(
            brokers: [try #require(BrokerAddress("mqtt://127.0.0.1:\(port)"))], clientID: "centre")
        options.isCleanStart = false
        options.backoffMin = 20
        options.backoffMax = 50
        let session = MQTTSession(options: options) { Handler(self) }
        self.session.withLock { $0 = session }
        session.start()
        Demo.wait(until: Clocks.monotonic() + 10_000) { self.seen.withLock { $0.isSubscribed } }
    }

    func stop() { session.withLock { $0 }?.stop() }

    var events: [Event] { seen.withLock { $0.events } }
    var beacons: [Mark] { seen.withLock { $0.beacons } }
    /// The roots that beacons showed.
    var roots: [String] { beacons.compactMap(\.tree) }
    var metas: [String] { seen.withLock { $0.metas } }
    var states: [String] { seen.withLock { $0.states } }
    /// The last part of each message's topic.
    var topics: [String] { seen.withLock { $0.topics } }

    /// The lane's events as a consumer by the rules takes them: repeats dropped; nil when something is out of order.
    func taken(epoch: String? = nil) -> [Event]? {
        var taken: [Event] = []
        for event in events where epoch == nil || event.epoch == epoch {
            let sequence = Int(event.sequence) ?? 0
            if sequence <= taken.count {
                guard taken[sequence - 1].id == event.id else { return nil }
            } else if sequence == taken.count + 1 {
                taken.append(event)
            } else {
                return nil
            }
        }
        return taken
    }

    private func take(_ message: InboundMessage) {
        let name = message.topic.split(separator: "/").suffix(2).joined(separator: "/")
        let data = Data(message.payload)
        let decoder = JSONDecoder()
        seen.withLock { seen in
            seen.topics.append(name)
            if name.hasPrefix("ev/") {
                seen.events +=
                    (try? decoder.decode([Event].self, from: data))
                    ?? (try? [decoder.decode(Event.self, from: data)]) ?? []
            } else if name.hasSuffix("/beacon") {
                if let mark = try? decoder.decode(Mark.self, from: data) { seen.beacons.append(mark) }
            } else if name.hasSuffix("/meta") {
                seen.metas.append(String(decoding: message.payload, as: UTF8.self))
            } else {
                seen.states.append(String(decoding: message.payload, as: UTF8.self))
            }
        }
    }

    private final class Handler: SessionHandler {
        private let centre: Centre

        init(_ centre: Centre) { self.centre = centre }

        func willConnect() -> ConnectDecision { .connect(clientIDSuffix: "", will: nil) }
        func connected(_ port: SessionPort) { port.subscribe(["waybill/#"]) }
        func subscribed(codes: [Int32], port: SessionPort) { centre.seen.withLock { $0.isSubscribed = true } }
        func received(_ message: InboundMessage, port: SessionPort) { centre.take(message) }
        func acknowledged(token: UInt64, reason: UInt8, port: SessionPort) {}
        func refill(_ port: SessionPort) {}
        func tick(nowMilliseconds: Int64, port: SessionPort?) {}
        func lost(_ loss: ConnectionLoss) {}
        func farewell(_ port: SessionPort) -> Message? { nil }
    }
}

/// The machine's clock and what the test adds to it.
final class SteppedClock: Sendable {
    private let added = Atomic<Int64>(0)

    func step(_ milliseconds: Int64) { added.add(milliseconds, ordering: .relaxed) }
    var now: Int64 { Clocks.monotonic() + added.load(ordering: .relaxed) }
}

/// An outbox and its publisher, without sources.
final class PublishingSite: Sendable {
    let directory: String
    let outbox: Outbox
    let clock = SteppedClock()
    let report = DeliveryReport(now: { Timestamp(milliseconds: 0) }) { _ in }
    let board = RepairBoard()
    private let watermarks = Watermarks()
    private let session = Mutex<MQTTSession?>(nil)
    private let records = Mutex(0)

    static func identity() throws -> SiteIdentity { try #require(SiteIdentity(tenant: "acme", site: "dc-7")) }

    init(_ directory: String, _ change: (inout OutboxOptions) -> Void = { _ in }) throws {
        self.directory = directory
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var rules = InventoryRules()
        rules.baselineZero = true
        var options = OutboxOptions(
            directory: directory, site: try Self.identity(), rules: rules, programVersion: "1.0.0")
        change(&options)
        outbox = try Outbox(options, now: Clocks.wall())
    }

    /// Events of the standard lane; the names make their ids.
    func capture(_ names: [String], text: String? = nil, sku: (String) -> String = { _ in "A" }) throws {
        let site = try Self.identity()
        let records = try names.map { name in
            let hash = Digest(sha256: name)
            let identity = RecordIdentity(text: name, recordHash: hash, isTracked: true)
            let derived = EventID.derive(site: site, source: "moves", record: identity, type: .received, n: 0)
            let origin = Origin(source: "moves", kind: "tail", object: "f", position: "0", key: name, recordHash: hash)
            var draft = EventDraft(
                id: derived.id, type: .received, sku: sku(name), origin: origin, occurredAt: Clocks.wall(),
                timeQuality: .exact, capturedAt: Clocks.wall(), mappingVersion: "0", traceparent: derived.traceparent)
            draft.changes = [
                .init(key: StockKey(sku: sku(name), location: "L"), bucket: .unrestricted, delta: try Quantity("1"))
            ]
            if let text { draft.reason = Reason(code: "other", sourceCode: nil, text: text) }
            return CapturedRecord(
                identity: identity, outcome: .events([draft]), bytes: Array(name.utf8)[...],
                position: RecordPosition(object: "f", offset: 0))
        }
        let batch = CaptureBatch(
            source: "moves", records: records, checkpoint: Checkpoint(kind: "tail", text: "p", position: "p"))
        _ = try outbox.append([batch], now: Clocks.wall())
        session.withLock { $0 }?.wake()
    }

    func start(
        ports: [UInt16], _ changeOptions: (inout MQTTOptions) -> Void = { _ in },
        _ change: (inout DeliverySettings) -> Void = { _ in }
    ) throws {
        var options = MQTTOptions(
            brokers: ports.compactMap { BrokerAddress("mqtt://127.0.0.1:\($0)") }, clientID: "waybill-acme-dc-7")
        options.backoffMin = 20
        options.backoffMax = 50
        changeOptions(&options)
        while try !outbox.buildTree() {}
        var settings = DeliverySettings(site: try Self.identity(), agentVersion: "1.0.0", timeZone: "UTC")
        settings.beaconInterval = 200
        settings.commands.requesters = ["ingest", "ops"]
        change(&settings)
        let session = MQTTSession(options: options, random: Jitter(seed: 1)) { [self, settings] in
            Publisher(
                outbox: outbox, settings: settings, report: report, watermarks: watermarks, board: board,
                now: { self.clock.now },
                wallClock: Clocks.wall)
        }
        self.session.withLock { $0 = session }
        session.start()
    }

    /// Stores what is acked, as housekeeping does; each lane's watermark.
    func acked(_ lane: Lane = .standard) -> Int64 {
        let (epoch, pending) = watermarks.take()
        try? outbox.acknowledge(pending, of: epoch)
        return outbox.progress.lanes[lane].acked
    }

    func stop() {
        session.withLock { session in
            session?.stop()
            session = nil
        }
        _ = acked()
    }

    func has(_ words: String) -> Bool { report.healthReasons.contains { $0.contains(words) } }
}

final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}
