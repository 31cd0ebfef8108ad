import Contract
import Foundation
import Inventory
import MQTT
import Synchronization
import Testing

@testable import Agent

/// Sends commands to one site as anybody may, and hears what is answered.
final class Requester: Sendable {
    struct Heard {
        var replies: [(reply: CommandReply, correlation: String, bytes: [UInt8])] = []
        /// Payloads on `rep/` that are no replies.
        var messages: [[UInt8]] = []
        var acked = 0
    }

    let topics: Topics
    private let heard = Mutex(Heard())
    private let outgoing = Mutex<[Message]>([])
    private let session = Mutex<MQTTSession?>(nil)
    private let isReady = Flag()

    init(port: UInt16, site: SiteIdentity, _ change: (inout MQTTOptions) -> Void = { _ in }) throws {
        topics = Topics(site: site)
        var options = MQTTOptions(
            brokers: [try #require(BrokerAddress("mqtt://127.0.0.1:\(port)"))],
            clientID: "requester-\(UUID().uuidString.prefix(8))")
        options.isCleanStart = false
        options.backoffMin = 20
        options.backoffMax = 50
        change(&options)
        let session = MQTTSession(options: options) { Handler(self) }
        self.session.withLock { $0 = session }
        session.start()
        #expect(Stage.wait { isReady.isSet })
    }

    func stop() { session.withLock { $0 }?.stop() }

    var all: Heard { heard.withLock { $0 } }

    func replies(to id: String) -> [CommandReply] { all.replies.map(\.reply).filter { $0.id == id } }

    /// Awaits the last reply to a command.
    func end(of id: String) -> CommandReply? {
        _ = Stage.wait { replies(to: id).contains { $0.status == .done || $0.status == .rejected } }
        return replies(to: id).last { $0.status == .done || $0.status == .rejected }
    }

    func send(_ payload: [UInt8], verb: String, to responseTopic: String? = nil, correlation: [UInt8] = []) {
        var message = Message(
            topic: topics.commandPrefix + verb, payload: payload, retain: false, contentType: "application/json",
            userProperties: [])
        message.responseTopic = responseTopic
        message.correlation = correlation
        outgoing.withLock { $0.append(message) }
        session.withLock { $0 }?.wake()
    }

    /// The command's id.
    @discardableResult
    func ask(
        _ verb: CommandVerb, as requester: String = "ingest", id: String = UUID().uuidString.lowercased(),
        issuedAt: Timestamp = Clocks.wall(), responseTopic: String? = nil, key: SigningKey? = nil,
        _ change: (inout CommandRequest) -> Void = { _ in }
    ) throws -> String {
        var request = CommandRequest(id: id, requester: requester, issuedAt: issuedAt.description)
        change(&request)
        var payload = try wireBytes(request)
        if let key {
            let signed = key.sign(body: String(decoding: payload, as: UTF8.self), topic: topics.command(verb))
            payload = try wireBytes(try #require(signed))
        }
        send(payload, verb: verb.rawValue, to: responseTopic ?? topics.replies(requester), correlation: Array(id.utf8))
        return id
    }

    private final class Handler: SessionHandler {
        private let owner: Requester

        init(_ owner: Requester) { self.owner = owner }

        func willConnect() -> ConnectDecision { .connect(clientIDSuffix: "", will: nil) }
        func connected(_ port: SessionPort) { port.subscribe(["\(owner.topics.root)/rep/+"]) }
        func subscribed(codes: [Int32], port: SessionPort) { owner.isReady.set() }

        func received(_ message: InboundMessage, port: SessionPort) {
            owner.heard.withLock { heard in
                if let reply = readWire(CommandReply.self, from: message.payload) {
                    let correlation = String(decoding: message.correlation, as: UTF8.self)
                    heard.replies.append((reply, correlation, message.payload))
                } else {
                    heard.messages.append(message.payload)
                }
            }
        }

        func acknowledged(token: UInt64, reason: UInt8, port: SessionPort) { owner.heard.withLock { $0.acked += 1 } }

        func refill(_ port: SessionPort) {
            owner.outgoing.withLock { outgoing in
                while port.hasRoom, let message = outgoing.first {
                    guard port.publish(message, token: 1) == .sent else { return }
                    outgoing.removeFirst()
                }
            }
        }

        func tick(nowMilliseconds: Int64, port: SessionPort?) { port.map(refill) }
        func lost(_ loss: ConnectionLoss) {}
        func farewell(_ port: SessionPort) -> Message? { nil }
    }
}
