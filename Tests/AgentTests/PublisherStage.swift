import Delivery
import Foundation
import Inventory
import MQTT
import Outbox
import Synchronization
import Testing

@testable import Agent

/// Where publishers are tested: a broker, a centre that hears all, a directory.
enum Stage {
    static func names(_ range: ClosedRange<Int>) -> [String] { range.map { "T-\($0)" } }

    /// A directory, a broker and its listener, on a thread of their own; all gone at the end.
    static func set(
        _ settings: String = "", accessList: String? = nil,
        _ body: (String, DemoBroker, Centre) throws -> Void
    ) throws {
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

    static func wait(_ condition: () -> Bool) -> Bool {
        Demo.wait(until: Clocks.monotonic() + 15_000, condition)
        return condition()
    }

    static func publish(_ payload: String, topic: String, retain: Bool = true, port: UInt16) throws {
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
            topic: topic, payload: Array(payload.utf8), retain: retain, contentType: nil, userProperties: [])
        let options = MQTTOptions(
            brokers: [try #require(BrokerAddress("mqtt://127.0.0.1:\(port)"))], clientID: "other")
        let finished = Flag()
        let session = MQTTSession(options: options) { Sender(message) { finished.set() } }
        session.start()
        #expect(wait { finished.isSet })
        session.stop()
    }

    static func id(_ name: String) throws -> String {
        let identity = RecordIdentity(text: name, recordHash: Digest(sha256: name), isTracked: true)
        return EventID.derive(
            site: try PublishingSite.identity(), source: "moves", record: identity, type: .received, n: 0
        ).id.description
    }
}
