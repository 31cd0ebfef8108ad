import Foundation
import MQTT
import Synchronization
import Testing

@testable import Agent

/// What a session's handler saw, and what it is to do.
final class Witness: SessionHandler {
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

/// A directory that is gone with the test.
final class Scratch: Sendable {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("waybill-\(UUID().uuidString)").path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Tests of the driver: a broker in a directory of their own, and sessions that tell what they saw.
protocol DriverTests {
    var scratch: Scratch { get }
}

extension DriverTests {
    var directory: String { scratch.path }

    func message(_ topic: String, _ text: String, retain: Bool = false) -> Message {
        Message(topic: topic, payload: Array(text.utf8), retain: retain, contentType: nil, userProperties: [])
    }

    func broker(_ settings: String = "") throws -> DemoBroker {
        let broker = try DemoBroker(directory: directory, settings: settings)
        try broker.start()
        return broker
    }

    func options(_ port: UInt16, scheme: String = "mqtt", host: String = "127.0.0.1") throws -> MQTTOptions {
        var options = MQTTOptions(
            brokers: [try #require(BrokerAddress("\(scheme)://\(host):\(port)"))], clientID: "waybill-test")
        options.backoffMin = 20
        options.backoffMax = 100
        return options
    }

    func run(
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
}
