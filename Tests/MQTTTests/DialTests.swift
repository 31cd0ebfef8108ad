import Foundation
import OwnThread
import Synchronization
import Testing

@testable import MQTT

/// Name servers that do not answer, as calls that return when the test lets them.
@Suite(.ownThread) struct DialTests {
    private final class Names: Sendable {
        private let asked = Mutex<[String]>([])
        private let gate = DispatchSemaphore(value: 0)
        private let arrival = DispatchSemaphore(value: 0)

        /// Hangs for every host but `known`, which is refused at once.
        func resolve(_ broker: BrokerAddress, known: String?) -> Int32 {
            asked.withLock { $0.append(broker.host) }
            arrival.signal()
            if broker.host != known { gate.wait() }
            return 14
        }

        var hosts: [String] { asked.withLock { $0 } }
        func awaitQuestion() -> Bool { arrival.wait(timeout: .now() + 10) == .success }
        func answerAll() { for _ in 0..<50 { gate.signal() } }
    }

    private final class Listener: SessionHandler {
        private let words: @Sendable (String) -> Void

        init(_ words: @escaping @Sendable (String) -> Void) { self.words = words }

        func willConnect() -> ConnectDecision { .connect(clientIDSuffix: "", will: nil) }
        func connected(_ port: SessionPort) {}
        func subscribed(codes: [Int32], port: SessionPort) {}
        func received(_ message: InboundMessage, port: SessionPort) {}
        func acknowledged(token: UInt64, reason: UInt8, port: SessionPort) {}
        func refill(_ port: SessionPort) {}
        func tick(nowMilliseconds: Int64, port: SessionPort?) {}
        func lost(_ loss: ConnectionLoss) { words(loss.words) }
        func farewell(_ port: SessionPort) -> Message? { nil }
    }

    private func session(
        _ names: Names, hosts: [String], known: String? = nil, words: @escaping @Sendable (String) -> Void = { _ in }
    ) -> MQTTSession {
        var options = MQTTOptions(brokers: hosts.compactMap { BrokerAddress("mqtt://\($0)") }, clientID: "waybill-test")
        options.connectDeadline = 200
        options.backoffMin = 1
        options.backoffMax = 1
        return MQTTSession(
            options: options, random: Jitter(seed: 1),
            beginConnect: { _, broker, _ in names.resolve(broker, known: known) },
            makeHandler: { Listener(words) })
    }

    @Test func `a stop returns while a name is being resolved`() {
        let names = Names()
        let session = session(names, hosts: ["nowhere"])
        session.start()
        #expect(names.awaitQuestion())
        let begun = ContinuousClock.now
        session.stop()
        #expect(ContinuousClock.now - begun < .seconds(2))
        names.answerAll()
    }

    @Test func `a name that is not resolved in time is said, and the next broker of the list is tried`() {
        let names = Names()
        let heard = Mutex<[String]>([])
        let losses = DispatchSemaphore(value: 0)
        let session = session(names, hosts: ["nowhere", "second"], known: "second") { words in
            heard.withLock { $0.append(words) }
            losses.signal()
        }
        session.start()
        for _ in 0..<2 { #expect(losses.wait(timeout: .now() + 10) == .success) }
        session.stop()
        names.answerAll()
        #expect(Array(names.hosts.prefix(2)) == ["nowhere", "second"])
        #expect(heard.withLock { $0.first }?.contains("the name nowhere is not resolved in time") == true)
    }
}
