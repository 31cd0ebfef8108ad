import Foundation
import Inventory
import MQTT
import Synchronization

@testable import Agent

/// A consumer by the rules: a persistent session, the next sequence of each lane, stock from the balances alone.
final class DemoReceiver: Sendable {
    struct Tally {
        var received = 0
        var redelivered = 0
        var repeated = 0
        var outOfOrder = 0
        var isSubscribed = false
        /// What no line of the export becomes, such as a loss.
        var others: [String] = []
        /// Version and `unrestricted` in millionths.
        var stock: [StockKey: (version: Int64, unrestricted: Int64?)] = [:]
        fileprivate var last: [String: Int64] = [:]
        fileprivate var ids: Set<String> = []
    }

    private let tally = Mutex(Tally())
    private let session = Mutex<MQTTSession?>(nil)

    var snapshot: Tally { tally.withLock { $0 } }

    func start(broker: BrokerAddress, topic: String) {
        var options = MQTTOptions(brokers: [broker], clientID: "waybill-test-receiver")
        options.isCleanStart = false
        options.backoffMin = 50
        options.backoffMax = 300
        let session = MQTTSession(options: options) { Handler(receiver: self, topic: topic) }
        self.session.withLock { $0 = session }
        session.start()
    }

    func stop() { self.session.withLock { $0 }?.stop() }

    private func take(_ payload: [UInt8]) {
        let decoder = JSONDecoder()
        let data = Data(payload)
        let events =
            (try? decoder.decode([Event].self, from: data)) ?? (try? [decoder.decode(Event.self, from: data)]) ?? []
        tally.withLock { tally in
            for event in events { Self.apply(event, to: &tally) }
        }
    }

    private static func apply(_ event: Event, to tally: inout Tally) {
        let sequence = Int64(event.sequence) ?? 0
        let last = tally.last[event.lane] ?? 0
        if sequence <= last {
            tally.redelivered += 1
            return
        }
        if sequence != last + 1 { tally.outOfOrder += 1 }
        if !tally.ids.insert(event.id).inserted { tally.repeated += 1 }
        tally.last[event.lane] = sequence
        tally.received += 1
        if !["stock.received.v1", "stock.shipped.v1"].contains(event.type) { tally.others.append(event.type) }
        for line in event.data.balances ?? [] {
            let key = StockKey(sku: line.sku ?? event.subject ?? "", location: line.location ?? "", lot: line.lot ?? "")
            if line.version <= tally.stock[key]?.version ?? -1 { continue }
            tally.stock[key] = (line.version, line.unrestricted.flatMap { try? Quantity($0).millionths })
        }
    }

    private struct Event: Decodable {
        struct Payload: Decodable {
            struct Line: Decodable {
                var sku: String?
                var location: String?
                var lot: String?
                var version: Int64
                var unrestricted: String?
            }
            var balances: [Line]?
        }
        var id: String
        var type: String
        var subject: String?
        var sequence: String
        var lane: String
        var data: Payload
    }

    /// Runs on the session's thread.
    private final class Handler: SessionHandler {
        private let receiver: DemoReceiver
        private let topic: String

        init(receiver: DemoReceiver, topic: String) {
            self.receiver = receiver
            self.topic = topic
        }

        func willConnect() -> ConnectDecision { .connect(clientIDSuffix: "", will: nil) }
        func connected(_ port: SessionPort) { port.subscribe([topic]) }
        func subscribed(codes: [Int32], port: SessionPort) { receiver.tally.withLock { $0.isSubscribed = true } }
        func received(_ message: InboundMessage, port: SessionPort) { receiver.take(message.payload) }
        func acknowledged(token: UInt64, reason: UInt8, port: SessionPort) {}
        func refill(_ port: SessionPort) {}
        func tick(nowMilliseconds: Int64, port: SessionPort?) {}
        func lost(_ loss: ConnectionLoss) {}
        func farewell(_ port: SessionPort) -> Message? { nil }
    }
}
