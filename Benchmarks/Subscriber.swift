import Agent
import CLinux
import Glibc
import MQTT
import Synchronization

/// Counts what arrives: a message, or the events of a batch.
final class Subscriber: Sendable {
    private struct State {
        var events = 0
        var firstAt: Int64?
        var lastAt: Int64 = 0
        var isSubscribed = false
        var arrivals: [Int64]?
    }

    private let state = Mutex(State())
    private let session = Mutex<MQTTSession?>(nil)

    var events: Int { state.withLock { $0.events } }
    /// Nanoseconds of the monotonic clock.
    var firstAt: Int64? { state.withLock { $0.firstAt } }
    var lastAt: Int64 { state.withLock { $0.lastAt } }
    var arrivals: [Int64] { state.withLock { $0.arrivals ?? [] } }

    /// Returns when the subscription stands.
    init(port: UInt16, topic: String, keepsArrivals: Bool = false) throws {
        guard let address = BrokerAddress("mqtt://127.0.0.1:\(port)") else { return }
        state.withLock { $0.arrivals = keepsArrivals ? [] : nil }
        var options = MQTTOptions(brokers: [address], clientID: "waybill-bench-subscriber")
        // A consumer takes batches of any size: only an agent limits what it lets in.
        options.isCleanStart = false
        options.backoffMin = 50
        options.backoffMax = 300
        let session = MQTTSession(options: options) { Handler(subscriber: self, topic: topic) }
        self.session.withLock { $0 = session }
        session.start()
        try wait(for: "the subscription") { state.withLock { $0.isSubscribed } }
    }

    func stop() { session.withLock { $0 }?.stop() }

    private func take(_ payload: [UInt8]) {
        let count = payload.first == UInt8(ascii: "[") ? Self.batchSize(payload) : 1
        let now = nanoseconds()
        state.withLock { state in
            state.events += count
            if state.firstAt == nil { state.firstAt = now }
            state.lastAt = now
            for _ in 0..<count { state.arrivals?.append(now) }
        }
    }

    /// Events in an array: each begins with its `specversion`.
    private static func batchSize(_ payload: [UInt8]) -> Int {
        let mark = Array("{\"specversion\"".utf8)
        return payload.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            var count = 0
            var offset = 0
            while let brace = memchr(base + offset, Int32(UInt8(ascii: "{")), bytes.count - offset) {
                let place = UnsafeRawPointer(brace)
                offset = place - base + 1
                if bytes.count - offset >= mark.count, memcmp(place, mark, mark.count) == 0 { count += 1 }
            }
            return count
        }
    }

    private final class Handler: SessionHandler {
        let subscriber: Subscriber
        let topic: String

        init(subscriber: Subscriber, topic: String) {
            self.subscriber = subscriber
            self.topic = topic
        }

        func willConnect() -> ConnectDecision { .connect(clientIDSuffix: "", will: nil) }
        func connected(_ port: SessionPort) { port.subscribe([topic]) }
        func subscribed(codes: [Int32], port: SessionPort) { subscriber.state.withLock { $0.isSubscribed = true } }
        func received(_ message: InboundMessage, port: SessionPort) { subscriber.take(message.payload) }
        func acknowledged(token: UInt64, reason: UInt8, port: SessionPort) {}
        func refill(_ port: SessionPort) {}
        func tick(nowMilliseconds: Int64, port: SessionPort?) {}
        func lost(_ loss: ConnectionLoss) {}
        func farewell(_ port: SessionPort) -> Message? { nil }
    }
}

/// The monotonic clock.
func nanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

struct BenchError: Error, CustomStringConvertible {
    let description: String
}

/// Waits for a condition, at most two minutes.
func wait(for what: String, seconds: Int64 = 120, _ condition: () throws -> Bool) throws {
    let deadline = nanoseconds() + seconds * 1_000_000_000
    while try !condition() {
        guard nanoseconds() < deadline else {
            throw BenchError(description: "\(what) did not come within \(seconds) s")
        }
        poll(nil, 0, 2)
    }
}
