import Foundation
import MQTT
import Synchronization
import Testing

@testable import Agent

/// What a session's handler saw, and what it is to do.
private final class Witness: SessionHandler {
    struct Seen {
        var losses: [ConnectionLoss] = []
        var messages: [InboundMessage] = []
        var acks: [UInt8] = []
        var subacks = 0
        var connections = 0
        var outcomes: [PublishOutcome] = []
    }

    final class Record: Sendable {
        let seen = Mutex(Seen())
        var now: Seen { seen.withLock { $0 } }
    }

    let record: Record
    var will: Message?
    var subscriptions: [String] = []
    var publishes: [Message] = []
    var leavesAfterAck = false
    var last: Message?

    init(_ record: Record, _ change: (Witness) -> Void) {
        self.record = record
        change(self)
    }

    func willConnect() -> ConnectDecision { .connect(clientIDSuffix: "", will: will) }

    func connected(_ port: SessionPort) {
        record.seen.withLock { $0.connections += 1 }
        if !subscriptions.isEmpty { port.subscribe(subscriptions) }
        for (index, message) in publishes.enumerated() {
            let outcome = port.publish(message, token: UInt64(index))
            record.seen.withLock { $0.outcomes.append(outcome) }
        }
        publishes = []
    }

    func subscribed(codes: [Int32], port: SessionPort) { record.seen.withLock { $0.subacks += 1 } }
    func received(_ message: InboundMessage, port: SessionPort) { record.seen.withLock { $0.messages.append(message) } }

    func acknowledged(token: UInt64, reason: UInt8, port: SessionPort) {
        record.seen.withLock { $0.acks.append(reason) }
        if leavesAfterAck { port.disconnect(reason: "a test leaves") }
    }

    func refill(_ port: SessionPort) {}
    func tick(nowMilliseconds: Int64, port: SessionPort?) {}
    func lost(_ loss: ConnectionLoss) { record.seen.withLock { $0.losses.append(loss) } }
    func farewell(_ port: SessionPort) -> Message? { last }
}

/// Runs a test that blocks on a thread of its own: the shared pool must not wait.
func onOwnThread(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
        Thread.detachNewThread { done.resume(with: Result { try body() }) }
    }
}

/// The driver against the real broker.
struct SessionTests {
    /// Gone with the test.
    private final class Scratch: Sendable {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("waybill-\(UUID().uuidString)").path

        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private let scratch: Scratch
    private var directory: String { scratch.path }

    init() throws { scratch = try Scratch() }

    private func message(_ topic: String, _ text: String, retain: Bool = false) -> Message {
        Message(topic: topic, payload: Array(text.utf8), retain: retain, contentType: nil, userProperties: [])
    }

    private func broker(_ settings: String = "") throws -> DemoBroker {
        let broker = try DemoBroker(directory: directory, settings: settings)
        try broker.start()
        return broker
    }

    private func options(_ port: UInt16, scheme: String = "mqtt", host: String = "127.0.0.1") throws -> MQTTOptions {
        var options = MQTTOptions(
            brokers: [try #require(BrokerAddress("\(scheme)://\(host):\(port)"))], clientID: "waybill-test")
        options.backoffMin = 20
        options.backoffMax = 100
        return options
    }

    private func run(
        _ options: MQTTOptions, until isDone: (Witness.Seen) -> Bool, _ change: @escaping @Sendable (Witness) -> Void
    ) -> Witness.Seen {
        let record = Witness.Record()
        let session = MQTTSession(options: options, random: Jitter(seed: 1)) { Witness(record, change) }
        session.start()
        Demo.wait(until: Clocks.monotonic() + 15_000) { isDone(record.now) }
        let seen = record.now
        session.stop()
        return seen
    }

    @Test(arguments: [MQTTOptions.Version.v5, .v311])
    func `a message is acknowledged and one SUBACK answers all topics`(version: MQTTOptions.Version) async throws {
        try await onOwnThread {
            let broker = try broker()
            defer { broker.stop() }
            var options = try options(broker.port)
            options.version = version
            let hello = message("a", "hello")
            let seen = run(options, until: { $0.acks.count == 1 && $0.subacks == 1 && !$0.messages.isEmpty }) {
                $0.subscriptions = ["a", "b", "c"]
                $0.publishes = [hello]
            }
            #expect(seen.acks.count == 1 && seen.subacks == 1)
            #expect(seen.messages.first?.payload == hello.payload)
            #expect(seen.losses.isEmpty)
        }
    }

    @Test func `leaving on purpose says DISCONNECT, so no Will is published`() async throws {
        try await onOwnThread {
            let broker = try broker()
            defer { broker.stop() }
            let will = message("will", "lost")
            let one = message("other", "1")
            let record = Witness.Record()
            let watcher = MQTTSession(options: try options(broker.port)) {
                Witness(record) { $0.subscriptions = ["#"] }
            }
            watcher.start()
            Demo.wait(until: Clocks.monotonic() + 10_000) { record.now.subacks == 1 }
            var leaving = try options(broker.port)
            leaving.clientID = "waybill-leaver"
            let seen = run(leaving, until: { $0.losses.count == 1 && $0.connections == 2 }) {
                $0.will = will
                $0.publishes = [one]
                $0.leavesAfterAck = true
            }
            #expect(seen.losses.first?.words == "a test leaves")
            // A message behind which the Will would have come.
            let last = message("last", "1")
            _ = run(leaving, until: { $0.acks.count == 1 }) { $0.publishes = [last] }
            Demo.wait(until: Clocks.monotonic() + 10_000) { record.now.messages.contains { $0.topic == "last" } }
            watcher.stop()
            #expect(record.now.messages.map(\.topic) == ["other", "last"])
        }
    }

    @Test func `a clean stop says farewell and no Will is published`() async throws {
        try await onOwnThread {
            let broker = try broker()
            defer { broker.stop() }
            let will = message("presence", "lost", retain: true)
            let bye = message("presence", "bye", retain: true)
            _ = run(try options(broker.port), until: { $0.connections == 1 }) {
                $0.will = will
                $0.last = bye
            }
            let seen = run(try options(broker.port), until: { !$0.messages.isEmpty }) {
                $0.subscriptions = ["presence"]
            }
            #expect(seen.messages.map { String(decoding: $0.payload, as: UTF8.self) } == ["bye"])
        }
    }

    @Test func `a message over the broker's maximum packet size is not sent`() async throws {
        try await onOwnThread {
            let broker = try broker("max_packet_size 2000")
            defer { broker.stop() }
            let small = message("a", "small")
            let large = message("a", String(repeating: "x", count: 2_000))
            let seen = run(try options(broker.port), until: { $0.acks.count == 1 }) { $0.publishes = [large, small] }
            #expect(seen.outcomes == [.tooLarge, .sent])
            #expect(seen.losses.isEmpty)
        }
    }

    @Test func `a wrong password is a refusal, in words`() async throws {
        try await onOwnThread {
            try Data("site:$7$101$AAAAAAAAAAAAAAAA$AAAA\n".utf8).write(
                to: URL(fileURLWithPath: directory + "/passwords"))
            let broker = try broker("password_file \(directory)/passwords\nallow_anonymous false")
            defer { broker.stop() }
            var options = try options(broker.port)
            options.username = "site"
            options.password = "wrong"
            let seen = run(options, until: { !$0.losses.isEmpty }) { _ in }
            let loss = try #require(seen.losses.first)
            #expect(loss.isRefusal)
            #expect(loss.words.contains("does not authorise") || loss.words.contains("user name or password"))
        }
    }

    @Test func `a broker that acknowledges nothing is left after the ack timeout`() async throws {
        try await onOwnThread {
            let broker = try broker()
            defer { broker.stop() }
            let proxy = try FaultProxy(upstream: broker.port)
            defer { proxy.stop() }
            proxy.set(.swallowPubacks)
            var options = try options(proxy.port)
            options.ackTimeout = 200
            let one = message("a", "1")
            let seen = run(options, until: { !$0.losses.isEmpty }) { $0.publishes = [one] }
            #expect(seen.losses.first?.words == "the broker acknowledges nothing any more")
        }
    }

    @Test func `a listener that never answers is left at the connect deadline`() async throws {
        try await onOwnThread {
            let broker = try broker()
            defer { broker.stop() }
            let proxy = try FaultProxy(upstream: broker.port)
            defer { proxy.stop() }
            proxy.set(.halfOpen)
            var options = try options(proxy.port)
            options.connectDeadline = 300
            let seen = run(options, until: { !$0.losses.isEmpty }) { _ in }
            #expect(seen.losses.first?.words.contains("did not answer in time") == true)
        }
    }

    @Test(arguments: [UInt8(0x8E), 0x93, 0x97, 0x95])
    func `the reason of a broker's DISCONNECT reaches the handler`(reason: UInt8) async throws {
        try await onOwnThread {
            let broker = try ScriptedBroker(says: [0x20, 3, 0, 0, 0, 0xE0, 2, reason, 0])
            defer { broker.stop() }
            let seen = run(try options(broker.port), until: { !$0.losses.isEmpty }) { _ in }
            #expect(seen.losses.first?.reason == reason, "\(seen.losses)")
        }
    }

    @Test func `a broker that takes connections and drops them is not asked ever faster`() async throws {
        try await onOwnThread {
            let broker = try ScriptedBroker(says: [0x20, 3, 0, 0, 0])
            defer { broker.stop() }
            var options = try options(broker.port)
            options.backoffMin = 100
            options.backoffMax = 60_000
            let begun = Clocks.monotonic()
            let seen = run(options, until: { $0.losses.count >= 3 }) { _ in }
            #expect(seen.losses.count >= 3)
            #expect(Clocks.monotonic() - begun >= 200)
        }
    }

    @Test func `TLS checks the broker's certificate, and a wrong authority is told from a network fault`() async throws
    {
        try await onOwnThread {
            try openssl(
                "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem"
            )
            try openssl(
                "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout other-key.pem -out other.pem")
            let broker = try broker(
                "user root\ncafile \(directory)/cert.pem\ncertfile \(directory)/cert.pem\nkeyfile \(directory)/key.pem")
            defer { broker.stop() }
            var good = try options(broker.port, scheme: "mqtts", host: "localhost")
            good.caFile = directory + "/cert.pem"
            let one = message("a", "1")
            let seen = run(good, until: { $0.acks.count == 1 }) { $0.publishes = [one] }
            #expect(seen.acks.count == 1 && seen.losses.isEmpty)
            var wrong = good
            wrong.caFile = directory + "/other.pem"
            let refused = run(wrong, until: { !$0.losses.isEmpty }) { _ in }
            #expect(refused.connections == 0)
            #expect(refused.losses.first?.words.contains("ca_file") == true)
            var missing = good
            missing.caFile = directory + "/none.pem"
            let unusable = run(missing, until: { !$0.losses.isEmpty }) { _ in }
            #expect(unusable.losses.first?.words.contains("TLS files cannot be used") == true)
        }
    }

    @Test func `a broker that wants a client certificate gets it, and refuses a site without one`() async throws {
        try await onOwnThread {
            try openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca-key.pem -out ca.pem")
            try certificate("broker", subject: "/CN=localhost")
            try certificate("site", subject: "/CN=dc-7")
            let broker = try broker(
                """
                user root
                cafile \(directory)/ca.pem
                certfile \(directory)/broker.pem
                keyfile \(directory)/broker-key.pem
                require_certificate true
                """)
            defer { broker.stop() }
            var options = try options(broker.port, scheme: "mqtts", host: "localhost")
            options.caFile = directory + "/ca.pem"
            let without = run(options, until: { !$0.losses.isEmpty }) { _ in }
            #expect(without.connections == 0 && !without.losses.isEmpty)
            options.certificateFile = directory + "/site.pem"
            options.keyFile = directory + "/site-key.pem"
            let one = message("a", "1")
            let seen = run(options, until: { $0.acks.count == 1 }) { $0.publishes = [one] }
            #expect(seen.acks.count == 1 && seen.losses.isEmpty)
        }
    }

    /// A key and a certificate for localhost, signed by `ca.pem`.
    private func certificate(_ name: String, subject: String) throws {
        try Data("subjectAltName=DNS:localhost,IP:127.0.0.1\n".utf8).write(
            to: URL(fileURLWithPath: directory + "/names"))
        try openssl("req -newkey rsa:2048 -nodes -subj \(subject) -keyout \(name)-key.pem -out \(name).csr")
        try openssl(
            "x509 -req -in \(name).csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile names -out \(name).pem"
        )
    }

    private func openssl(_ arguments: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.arguments = arguments.split(separator: " ").map(String.init)
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }
}
