import Contract
import Delivery
import Inventory
import MQTT
import Synchronization

/// Logs in beside the agent, under a client id of its own, and asks the broker what this site may do: subscriptions by their
/// SUBACK, topics by an empty message each, which is not retained and which consumers pass over (docs/protocol.md, 2).
struct LoginProbe {
    private let configuration: Configuration
    private let broker: BrokerAddress
    private static let deadline: Int64 = 20_000
    private static let slow: Int64 = 1_000
    private static let echoDeadline: Int64 = 2_000

    init(_ configuration: Configuration, _ broker: BrokerAddress) {
        self.configuration = configuration
        self.broker = broker
    }

    private var place: String { "\(broker.host):\(broker.port)" }

    func run(_ tell: (DoctorFinding) -> Void) {
        var options = configuration.mqtt
        options.brokers = [broker]
        options.clientID += "-doctor"
        options.isCleanStart = true
        (options.backoffMin, options.backoffMax) = (100, 500)
        let topics = Topics(site: configuration.site)
        let outcome = Outcome()
        let subscriptions = [topics.beacon, topics.meta, topics.state, topics.allCommands]
        let publications =
            Lane.allCases.map(topics.events) + [topics.state, topics.beacon, topics.meta]
            + configuration.delivery.commands.requesters.sorted().map(topics.replies)
        let session = MQTTSession(options: options) { Handler(outcome, subscriptions, publications) }
        session.start()
        outcome.wait(within: Self.deadline)
        session.stop()
        report(outcome.state, subscriptions, publications, tell)
    }

    private func report(
        _ state: Outcome.State, _ subscriptions: [String], _ publications: [String], _ tell: (DoctorFinding) -> Void
    ) {
        guard state.isConnected else {
            let words = state.loss ?? "no answer within \(Self.deadline / 1_000) s"
            return tell(DoctorFinding("login", place, .failed, words, remedies: loginRemedies(words)))
        }
        let user = configuration.mqtt.username.map { "user \($0)" } ?? "no user name"
        tell(DoctorFinding("login", place, .ok, "logged in with \(user) (\(state.loginMilliseconds) ms)"))
        for (topic, code) in zip(subscriptions, state.codes) where code >= 0x80 {
            tell(refused("read", topic, "the subscription is refused"))
        }
        if state.codes.count < subscriptions.count {
            tell(DoctorFinding("acl", place, .failed, "the broker did not answer the subscription"))
        }
        let unheard = unheard(state, subscriptions, publications)
        // mosquitto grants every subscription, and leaves out what may not be read.
        for topic in unheard { tell(refused("read", topic, "what is published there does not come back")) }
        guard configuration.mqtt.version == .v5 else {
            let words = "MQTT 3.1.1 tells nobody that a message was refused"
            return tell(DoctorFinding("acl", place, .skipped, words))
        }
        publishing(state, publications, isWhole: unheard.isEmpty, tell)
    }

    /// Topics that took a probe, are subscribed to, and did not give it back.
    private func unheard(
        _ state: Outcome.State, _ subscriptions: [String], _ publications: [String]
    ) -> [String] {
        publications.enumerated().filter { index, topic in
            guard let place = subscriptions.firstIndex(of: topic), place < state.codes.count else { return false }
            let isTaken = (state.reasons[index] ?? 0x80) < 0x80
            return isTaken && state.codes[place] < 0x80 && !state.heard.contains(topic)
        }.map(\.element)
    }

    private func publishing(
        _ state: Outcome.State, _ publications: [String], isWhole: Bool, _ tell: (DoctorFinding) -> Void
    ) {
        var taken = 0
        for (index, topic) in publications.enumerated() {
            guard let reason = state.reasons[index] else {
                tell(refused("write", topic, "no answer to a message: \(state.loss ?? "timed out")"))
                continue
            }
            if reason >= 0x80 {
                tell(refused("write", topic, "refused (0x\(String(reason, radix: 16)))"))
            } else {
                taken += 1
            }
        }
        if isWhole, taken == publications.count, state.codes.allSatisfy({ $0 < 0x80 }) {
            tell(
                DoctorFinding("acl", place, .ok, "this site may read and write all \(taken + state.codes.count) topics")
            )
        }
        guard let slowest = state.ackMilliseconds.max() else { return }
        let isSlow = slowest > Self.slow
        tell(
            DoctorFinding(
                "publish", place, isSlow ? .warning : .ok, "a message is acked within \(slowest) ms",
                remedies: isSlow ? ["ping -c 5 \(broker.host)", "look at the broker's load and disk"] : []))
    }

    private func refused(_ right: String, _ topic: String, _ words: String) -> DoctorFinding {
        let user = configuration.mqtt.username ?? configuration.mqtt.clientID
        return DoctorFinding(
            "acl", topic, .failed, "\(right): \(words)",
            remedies: [
                "in the broker's acl_file, under: user \(user)", "  topic \(right) \(topic)",
                "then on its machine: systemctl reload mosquitto",
            ])
    }

    private func loginRemedies(_ words: String) -> [String] {
        if words.contains("user name or password") || words.contains("authorise") {
            return [
                "install -m 600 NEW_PASSWORD_FILE /etc/waybill/credentials/mqtt.password", "systemctl restart waybill",
                "on the broker's machine: mosquitto_passwd PASSWORD_FILE \(configuration.mqtt.username ?? "USER")",
            ]
        }
        if words.contains("MQTT 5") {
            return ["set in /etc/waybill/conf.d: [mqtt] version = \"3.1.1\"", "systemctl restart waybill"]
        }
        return ["look at the broker's log: journalctl -u mosquitto -n 50"]
    }

    /// What the broker answered, from the session's thread to the waiting one.
    private final class Outcome: Sendable {
        struct State {
            var isConnected = false
            var loginMilliseconds: Int64 = 0
            var codes: [Int32] = []
            var reasons: [Int: UInt8] = [:]
            var ackMilliseconds: [Int64] = []
            /// Topics whose own probe came back.
            var heard: Set<String> = []
            var loss: String?
        }

        private let held = Mutex(State())
        private let end = StopFlag()

        var state: State { held.withLock { $0 } }
        func change(_ body: (inout sending State) -> Void) { held.withLock { body(&$0) } }
        func finish() { end.set() }
        func wait(within milliseconds: Int64) { end.wait(milliseconds: Int32(milliseconds)) }
    }

    /// One message at a time: a broker may close the connection on what it refuses, and the next one goes over another.
    private final class Handler: SessionHandler {
        private let outcome: Outcome
        private let subscriptions: [String]
        private let publications: [String]
        private var isSubscribed = false
        private var next = 0
        private var triesOfNext = 0
        private var sentAt: Int64 = 0
        private var echoesUntil: Int64?
        private let begunAt = Clocks.monotonic()

        init(_ outcome: Outcome, _ subscriptions: [String], _ publications: [String]) {
            self.outcome = outcome
            self.subscriptions = subscriptions
            self.publications = publications
        }

        func willConnect() -> ConnectDecision { .connect(clientIDSuffix: "", will: nil) }

        func connected(_ port: SessionPort) {
            if !isSubscribed {
                outcome.change { [begunAt] state in
                    state.isConnected = true
                    state.loginMilliseconds = Clocks.monotonic() - begunAt
                }
            }
            // Again on each connection: a clean one has none.
            port.subscribe(subscriptions)
        }

        func subscribed(codes: [Int32], port: SessionPort) {
            isSubscribed = true
            outcome.change { $0.codes = codes }
            publishNext(port)
        }

        private func publishNext(_ port: SessionPort) {
            guard next < publications.count else { return awaitEchoes() }
            sentAt = Clocks.monotonic()
            let message = Message(
                topic: publications[next], payload: [], retain: false, contentType: nil, userProperties: [])
            _ = port.publish(message, token: UInt64(next))
        }

        func acknowledged(token: UInt64, reason: UInt8, port: SessionPort) {
            let took = Clocks.monotonic() - sentAt
            outcome.change { state in
                state.reasons[Int(token)] = reason
                state.ackMilliseconds.append(took)
            }
            pass()
            publishNext(port)
        }

        private func pass() {
            next += 1
            triesOfNext = 0
        }

        func lost(_ loss: ConnectionLoss) {
            outcome.change { $0.loss = loss.words }
            triesOfNext += 1
            // It may have paid for the one before it.
            if triesOfNext > 1 { pass() }
            if !isSubscribed || next >= publications.count { outcome.finish() }
        }

        /// What it may read of what it wrote comes back, mostly before the ack.
        private func awaitEchoes() {
            echoesUntil = Clocks.monotonic() + LoginProbe.echoDeadline
            finishWhenHeard()
        }

        private func finishWhenHeard() {
            guard let echoesUntil else { return }
            let heard = outcome.state.heard
            let isWhole = publications.allSatisfy { !subscriptions.contains($0) || heard.contains($0) }
            if isWhole || Clocks.monotonic() >= echoesUntil { outcome.finish() }
        }

        func received(_ message: InboundMessage, port: SessionPort) {
            guard message.payload.isEmpty else { return }
            outcome.change { _ = $0.heard.insert(message.topic) }
            finishWhenHeard()
        }

        func refill(_ port: SessionPort) {}
        func tick(nowMilliseconds: Int64, port: SessionPort?) { finishWhenHeard() }
        func farewell(_ port: SessionPort) -> Message? { nil }
    }
}
