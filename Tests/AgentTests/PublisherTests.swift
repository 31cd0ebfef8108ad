import Delivery
import Foundation
import Inventory
import MQTT
import Outbox
import Synchronization
import Testing

@testable import Agent

/// What the centre hears of all sites, in order.
private final class Centre: Sendable {
    struct Event: Decodable, Sendable {
        var id: String
        var type: String
        var sequence: String
        var epoch: String
        var lane: String
    }

    struct Mark: Decodable, Sendable {
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
private final class SteppedClock: Sendable {
    private let added = Atomic<Int64>(0)

    func step(_ milliseconds: Int64) { added.add(milliseconds, ordering: .relaxed) }
    var now: Int64 { Clocks.monotonic() + added.load(ordering: .relaxed) }
}

/// An outbox and its publisher, without sources.
private final class Site: Sendable {
    let directory: String
    let outbox: Outbox
    let clock = SteppedClock()
    let report = DeliveryReport { _ in }
    private let watermarks = Watermarks()
    private let session = Mutex<MQTTSession?>(nil)
    private let records = Mutex(0)

    static func identity() throws -> SiteIdentity { try #require(SiteIdentity(tenant: "acme", site: "dc-7")) }

    init(_ directory: String) throws {
        self.directory = directory
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var rules = InventoryRules()
        rules.baselineZero = true
        let options = OutboxOptions(
            directory: directory, site: try Self.identity(), rules: rules, programVersion: "1.0.0")
        outbox = try Outbox(options, now: Clocks.wall())
    }

    /// Events of the standard lane; the names make their ids.
    func capture(_ names: [String], text: String? = nil) throws {
        let site = try Self.identity()
        let records = try names.map { name in
            let hash = Digest(sha256: name)
            let identity = RecordIdentity(text: name, recordHash: hash, isTracked: true)
            let derived = EventID.derive(site: site, source: "moves", record: identity, type: .received, n: 0)
            let origin = Origin(source: "moves", kind: "tail", object: "f", position: "0", key: name, recordHash: hash)
            var draft = EventDraft(
                id: derived.id, type: .received, sku: "A", origin: origin, occurredAt: Clocks.wall(),
                timeQuality: .exact, capturedAt: Clocks.wall(), mappingVersion: "0", traceparent: derived.traceparent)
            draft.changes = [
                .init(key: StockKey(sku: "A", location: "L"), bucket: .unrestricted, delta: try Quantity("1"))
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
        var settings = DeliverySettings(site: try Self.identity(), agentVersion: "1.0.0", timeZone: "UTC")
        settings.beaconInterval = 200
        change(&settings)
        let session = MQTTSession(options: options, random: Jitter(seed: 1)) { [self, settings] in
            Publisher(
                outbox: outbox, settings: settings, report: report, watermarks: watermarks, now: { self.clock.now },
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

/// The publisher against a real broker: continuity, refusals, faults.
struct PublisherTests {
    private static func names(_ range: ClosedRange<Int>) -> [String] { range.map { "T-\($0)" } }

    /// A directory, a broker and its listener, on a thread of their own; all gone at the end.
    private func stage(
        _ settings: String = "", accessList: String? = nil,
        _ body: @escaping @Sendable (String, DemoBroker, Centre) throws -> Void
    ) async throws {
        try await onOwnThread {
            let directory = FileManager.default.temporaryDirectory.appendingPathComponent("wb-\(UUID().uuidString)")
                .path
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: directory) }
            var settings = settings
            if let accessList {
                try Data(accessList.utf8).write(to: URL(fileURLWithPath: directory + "/acl"))
                settings += "\nuser root\nacl_file \(directory)/acl"
            }
            let broker = try DemoBroker(directory: directory, settings: settings)
            try broker.start()
            defer { broker.stop() }
            let centre = try Centre(port: broker.port)
            defer { centre.stop() }
            try body(directory, broker, centre)
        }
    }

    private static func wait(_ condition: () -> Bool) -> Bool {
        Demo.wait(until: Clocks.monotonic() + 15_000, condition)
        return condition()
    }

    // MARK: order on a connection

    @Test(arguments: [MQTTOptions.Version.v5, .v311])
    func `meta, state and a beacon come before the first event, and events in order`(
        version: MQTTOptions.Version
    ) async throws {
        try await stage { directory, broker, centre in
            let site = try Site(directory + "/a")
            try site.capture(Self.names(1...50))
            try site.start(ports: [broker.port], { $0.version = version }, { $0.batches.above = nil })
            defer { site.stop() }
            #expect(Self.wait { centre.events.count == 50 && site.acked() == 50 })
            #expect(Array(centre.topics.prefix(4)) == ["dc-7/meta", "dc-7/state", "dc-7/beacon", "ev/standard"])
            #expect(centre.taken()?.count == 50)
            #expect(centre.events.first?.sequence == "0000000000000000001")
        }
    }

    @Test func `an event carries copies of its attributes as user properties`() async throws {
        try await stage { directory, broker, centre in
            let proxy = try FaultProxy(upstream: broker.port)
            defer { proxy.stop() }
            proxy.record()
            let site = try Site(directory + "/a")
            try site.capture(["T-1"])
            try site.start(ports: [proxy.port])
            defer { site.stop() }
            #expect(Self.wait { centre.events.count == 1 })
            let epoch = try #require(centre.events.first?.epoch)
            let sent = proxy.recorded
            for (name, value) in [("sequence", "0000000000000000001"), ("epoch", epoch), ("lane", "standard")] {
                #expect(sent.contains(Self.property(name, value)), "\(name)")
            }
            #expect(sent.contains(Self.property("traceparent", "00-").dropLast(5)))
            #expect(sent.contains(Array("application/cloudevents+json; charset=utf-8".utf8)))
        }
    }

    /// A user property as it stands in a packet (MQTT 5, section 2.2.2.2).
    private static func property(_ name: String, _ value: String) -> [UInt8] {
        [0x26] + [name, value].flatMap { [0, UInt8($0.utf8.count)] + Array($0.utf8) }
    }

    @Test func `a late Will of another session is answered by presence`() async throws {
        try await stage { directory, broker, centre in
            let site = try Site(directory + "/a")
            try site.start(ports: [broker.port])
            defer { site.stop() }
            #expect(Self.wait { centre.states.count == 1 })
            let shard = try Site.identity().shard
            let late = #"{"v":1,"state":"offline","session":"0","instance":"i","reason":"lost"}"#
            try publish(late, topic: "waybill/v1/\(shard)/acme/dc-7/state", port: broker.port)
            #expect(Self.wait { centre.states.count == 3 })
            #expect(centre.states.last?.contains(#""state":"online""#) == true)
        }
    }

    @Test func `meta is sent again when the sources are known`() async throws {
        try await stage { directory, broker, centre in
            let site = try Site(directory + "/a")
            try site.start(ports: [broker.port])
            defer { site.stop() }
            #expect(Self.wait { centre.metas.count == 1 })
            site.report.describe(sources: [.init(name: "moves", kind: "tail", mapping: "7")])
            #expect(Self.wait { centre.metas.count == 2 })
            #expect(centre.metas.last?.contains(#""mapping_version":"7""#) == true)
            #expect(centre.metas.last?.contains(#""retention":{"bytes":"#) == true)
            #expect(centre.metas.last?.contains("previous") == false)
        }
    }

    private func publish(_ payload: String, topic: String, port: UInt16) throws {
        final class Sender: SessionHandler {
            let message: Message
            let finished: @Sendable () -> Void

            init(_ message: Message, _ finished: @escaping @Sendable () -> Void) {
                self.message = message
                self.finished = finished
            }

            func willConnect() -> ConnectDecision { .connect(clientIDSuffix: "", will: nil) }
            func connected(_ port: SessionPort) { _ = port.publish(message, token: 1) }
            func subscribed(codes: [Int32], port: SessionPort) {}
            func received(_ message: InboundMessage, port: SessionPort) {}
            func acknowledged(token: UInt64, reason: UInt8, port: SessionPort) { finished() }
            func refill(_ port: SessionPort) {}
            func tick(nowMilliseconds: Int64, port: SessionPort?) {}
            func lost(_ loss: ConnectionLoss) {}
            func farewell(_ port: SessionPort) -> Message? { nil }
        }
        let message = Message(
            topic: topic, payload: Array(payload.utf8), retain: true, contentType: nil, userProperties: [])
        let options = MQTTOptions(
            brokers: [try #require(BrokerAddress("mqtt://127.0.0.1:\(port)"))], clientID: "other")
        let finished = Flag()
        let session = MQTTSession(options: options) { Sender(message) { finished.set() } }
        session.start()
        #expect(Self.wait { finished.isSet })
        session.stop()
    }

    // MARK: continuity

    @Test func `an outbox that was rolled back publishes nothing, and then begins an epoch above the last`()
        async throws
    {
        try await stage { directory, broker, centre in
            do {
                let first = try Site(directory + "/a")
                try first.capture(Self.names(1...3))
                try first.start(ports: [broker.port])
                #expect(Self.wait { first.acked() == 3 })
                first.stop()
                try first.outbox.close()
            }
            try FileManager.default.copyItem(atPath: directory + "/a", toPath: directory + "/snapshot")
            do {
                let second = try Site(directory + "/a")
                try second.capture(Self.names(4...5))
                try second.start(ports: [broker.port])
                #expect(Self.wait { second.acked() == 5 && centre.events.count == 5 })
                second.stop()
                try second.outbox.close()
            }
            let old = try #require(centre.beacons.last?.epoch)
            let restored = try Site(directory + "/snapshot")
            defer { restored.stop() }
            try restored.capture(["X-4"])
            try restored.start(ports: [broker.port])
            #expect(Self.wait { restored.has("ahead of this outbox") })
            #expect(centre.events.count == 5 && centre.beacons.allSatisfy { $0.epoch == old })
            restored.clock.step(60_000)
            #expect(Self.wait { centre.events.contains { $0.epoch > old } })
            let epoch = try #require(centre.events.last?.epoch)
            #expect(centre.taken(epoch: epoch)?.count == 1)
            #expect(centre.beacons.last?.epoch == epoch)
            #expect(
                Self.wait {
                    centre.metas.last?.contains(
                        #""previous":{"epoch":"\#(old)","heads":{"bulk":0,"critical":0,"standard":3}}"#) == true
                })
        }
    }

    @Test func `a clone of a living agent publishes nothing for as long as that one lives`() async throws {
        try await stage { directory, broker, centre in
            let shape = try Site(directory + "/a")
            try shape.capture(["T-1"])
            try shape.outbox.close()
            try FileManager.default.copyItem(atPath: directory + "/a", toPath: directory + "/b")
            let living = try Site(directory + "/a")
            try living.start(ports: [broker.port])
            defer { living.stop() }
            #expect(Self.wait { living.acked() == 1 && centre.beacons.count >= 2 })
            let clone = try Site(directory + "/b")
            try clone.capture(["X-2"])
            try clone.start(ports: [broker.port])
            defer { clone.stop() }
            for words in ["ahead of this outbox", "another agent publishes as this site"] {
                #expect(Self.wait { clone.has(words) }, "\(clone.report.healthReasons)")
                let heard = centre.beacons.count
                #expect(Self.wait { centre.beacons.count > heard + 1 })
                clone.clock.step(60_000)
            }
            try living.capture(["T-2"])
            #expect(Self.wait { living.acked() == 2 })
            let ids = try Set(["T-1", "T-2"].map { try id($0) })
            #expect(Set(centre.events.map(\.id)) == ids)
            #expect(Set(centre.beacons.map(\.epoch)).count == 1)
        }
    }

    private func id(_ name: String) throws -> String {
        let identity = RecordIdentity(text: name, recordHash: Digest(sha256: name), isTracked: true)
        return EventID.derive(
            site: try Site.identity(), source: "moves", record: identity, type: .received, n: 0
        ).id.description
    }

    @Test func `an epoch that only a retained meta knows is answered by a greater one`() async throws {
        try await stage { directory, broker, centre in
            let shard = try Site.identity().shard
            try publish(
                #"{"v":1,"epoch":"21001231T000000Z-0000"}"#, topic: "waybill/v1/\(shard)/acme/dc-7/meta",
                port: broker.port)
            let site = try Site(directory + "/a")
            try site.capture(["T-1"])
            try site.start(ports: [broker.port])
            defer { site.stop() }
            #expect(Self.wait { site.has("ahead of this outbox") })
            site.clock.step(60_000)
            #expect(Self.wait { centre.events.count == 1 })
            #expect(centre.events.allSatisfy { $0.epoch > "21001231T000000Z-0000" })
        }
    }

    @Test func `a site that may not read its own beacon publishes nothing and says so`() async throws {
        try await stage { directory, broker, centre in
            let proxy = try FaultProxy(upstream: broker.port)
            defer { proxy.stop() }
            proxy.refuse(subscriptions: 0x87)
            let site = try Site(directory + "/a")
            try site.capture(["T-1"])
            try site.start(ports: [proxy.port])
            defer { site.stop() }
            #expect(Self.wait { site.has("does not let this site read") })
            #expect(centre.topics.isEmpty)
            proxy.refuse()
            site.clock.step(60_000)
            #expect(Self.wait { centre.events.count == 1 })
        }
    }

    // MARK: refusals

    @Test func `a wrong access list stops publishing, and nothing is set aside for it`() async throws {
        let rules = "topic readwrite waybill/v1/+/acme/dc-7/%\n"
        let most = ["state", "beacon", "meta"].map { rules.replacingOccurrences(of: "%", with: $0) }.joined()
        try await stage(accessList: most + "topic read #\n") { directory, broker, centre in
            let site = try Site(directory + "/a")
            try site.capture(Self.names(1...30))
            try site.start(ports: [broker.port])
            defer { site.stop() }
            for _ in 0..<3 {
                #expect(
                    Self.wait { site.has("does not authorise this site to publish") },
                    "\(site.report.healthReasons) \(site.acked()) \(centre.taken()?.map(\.type) ?? [])")
                site.clock.step(60_000)
            }
            #expect(site.acked() == 0)
            broker.stop()
            try Data((most + "topic readwrite #\n").utf8).write(to: URL(fileURLWithPath: directory + "/acl"))
            try broker.start()
            #expect(
                Self.wait {
                    site.clock.step(1_000)
                    return site.acked() == 30
                })
            #expect(Self.wait { centre.events.count == 30 })
            #expect(centre.taken()?.allSatisfy { $0.type == "stock.received.v1" } == true)
        }
    }

    /// Refused by the broker for a while, then taken: all arrives in order, nothing is skipped.
    @Test(arguments: [UInt8(0x10), 0x80, 0x83, 0x87, 0x90, 0x91, 0x97])
    func `what a broker refuses for a while arrives in order in the end`(reason: UInt8) async throws {
        try await stage { directory, broker, centre in
            let proxy = try FaultProxy(upstream: broker.port)
            defer { proxy.stop() }
            let site = try Site(directory + "/a")
            try site.capture(Self.names(1...60))
            proxy.refuse(messages: reason)
            try site.start(ports: [proxy.port])
            defer { site.stop() }
            #expect(Self.wait { proxy.refused >= 20 })
            for _ in 0..<3 {
                let before = proxy.refused
                #expect(
                    Self.wait {
                        site.clock.step(1_000)
                        return proxy.refused > before
                    })
            }
            #expect(site.acked() == 0)
            proxy.refuse()
            #expect(
                Self.wait {
                    site.clock.step(1_000)
                    return site.acked() == 60
                })
            #expect(centre.taken()?.count == 60)
            #expect(centre.events.allSatisfy { $0.type == "stock.received.v1" })
        }
    }

    @Test func `an event too large for the broker leaves a tombstone in its place and no gap`() async throws {
        try await stage("max_packet_size 3000") { directory, broker, centre in
            let site = try Site(directory + "/a")
            try site.capture(["T-1"])
            try site.capture(["T-2"], text: String(repeating: "x", count: 4_000))
            try site.capture(["T-3"])
            try site.start(ports: [broker.port])
            defer { site.stop() }
            #expect(Self.wait { site.acked() == 3 })
            #expect(Self.wait { centre.events.count == 3 })
            #expect(centre.taken()?.map(\.type) == ["stock.received.v1", "stream.skipped.v1", "stock.received.v1"])
        }
    }

    @Test func `a broker that takes not even a tombstone makes the lane wait, and a stop is prompt`() async throws {
        try await stage("max_packet_size 700") { directory, broker, _ in
            let site = try Site(directory + "/a")
            try site.capture(["T-1"], text: String(repeating: "x", count: 4_000))
            try site.start(ports: [broker.port])
            #expect(Self.wait { site.has("maximum packet size") || site.acked() == 1 })
            let begun = Clocks.monotonic()
            site.stop()
            #expect(Clocks.monotonic() - begun < 9_000)
        }
    }

    @Test func `the next broker of the list is used, and the first again after that one is lost`() async throws {
        try await stage { directory, broker, centre in
            let (dead, port) = try Loopback.bind(backlog: nil)
            close(dead)
            let proxy = try FaultProxy(upstream: broker.port)
            defer { proxy.stop() }
            let site = try Site(directory + "/a")
            try site.capture(["T-1"])
            try site.start(ports: [port, proxy.port, broker.port])
            defer { site.stop() }
            #expect(Self.wait { site.acked() == 1 })
            proxy.cut()
            try site.capture(["T-2"])
            #expect(Self.wait { site.acked() == 2 })
            #expect(centre.taken()?.count == 2)
            #expect(proxy.cuts == 1)
        }
    }
}

private final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}
