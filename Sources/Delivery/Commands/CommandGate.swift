import Contract
import FoundationEssentials
import Inventory
import MQTT

/// Who may ask, and how they prove it.
package struct CommandSettings: Sendable, Equatable {
    /// Names that are answered; empty: nobody.
    package var requesters: Set<String> = []
    /// Base64 of Ed25519 public keys. Where there are some, a command has to be signed by one of them.
    package var keys: [String] = []

    package init() {}
}

/// Decides what becomes of a message on `cmd/`: MQTT gives no proof of who published, so nothing of it is believed.
struct CommandGate {
    struct Refused {
        var id: String
        var requester: String
        var verb: String
        /// Nil: there is nowhere to answer to.
        var address: ReplyAddress?
        var code: RejectionCode
        var message: String
        var limit: Int64?
    }

    enum Verdict {
        case admitted(Command)
        case refused(Refused)
    }

    private let topics: Topics
    private let requesters: Set<String>
    private let keys: [VerificationKey]
    private var rates = CommandRates()

    static let longestPayloadBytes = 16 * 1_024
    /// It is kept until the answer went out.
    static let longestCorrelationBytes = 256
    private static let longestVerbBytes = 32
    /// How old a command may be, or how far ahead of this clock.
    static let longestAge: Int64 = 5 * 60_000

    init(topics: Topics, settings: CommandSettings) {
        self.topics = topics
        requesters = settings.requesters
        keys = settings.keys.compactMap { VerificationKey($0) }
    }

    /// `monotonic` in milliseconds, for the rates.
    mutating func judge(_ message: InboundMessage, now: Timestamp, monotonic: Int64) -> Verdict {
        var refused = Refused(
            id: "", requester: "",
            verb: String(
                decoding: message.topic.utf8.dropFirst(topics.root.utf8.count + 5).prefix(Self.longestVerbBytes),
                as: UTF8.self),
            address: address(message.responseTopic, message.correlation), code: .malformed, message: "")
        func refuse(_ message: String, _ code: RejectionCode = .malformed) -> Verdict {
            refused.code = code
            refused.message = message
            return .refused(refused)
        }
        if message.isRetained {
            return refuse("a retained command is never carried out; clear it at the broker", .stale)
        }
        guard message.payload.count <= Self.longestPayloadBytes else {
            return refuse("a command has at most \(Self.longestPayloadBytes) bytes")
        }
        let envelope = readWire(SignedCommand.self, from: message.payload)
        guard let request = readWire(CommandRequest.self, from: envelope.map { Array($0.body.utf8) } ?? message.payload)
        else { return refuse("a command is a JSON object with cmd_id, requester and issued_at") }
        refused.requester = SiteIdentity.isName(request.requester) ? request.requester : ""
        guard EventID(request.id) != nil else { return refuse("cmd_id wants a UUID") }
        refused.id = request.id
        guard !refused.requester.isEmpty else { return refuse("requester is no name") }
        let own = address(
            message.responseTopic ?? request.responseTopic,
            message.correlation.isEmpty ? Array((request.correlation ?? "").utf8) : message.correlation)
        refused.address = own ?? ReplyAddress(topic: topics.replies(request.requester), correlation: [])
        guard requesters.contains(request.requester) else {
            return refuse("\(request.requester) is not among this agent's [commands] requesters", .denied)
        }
        guard let own, own.topic == topics.replies(request.requester) else {
            return refuse(
                "the response topic has to be \(topics.replies(request.requester)), and the correlation of at most "
                    + "\(Self.longestCorrelationBytes) bytes")
        }
        // Only who is listed counts: others must not use up what is left for them. A signature costs more than a count.
        guard rates.takeOverAll(now: monotonic) else { return refuse("too many commands; slow down", .busy) }
        if let words = distrust(envelope, topic: message.topic) { return refuse(words, .denied) }
        guard rates.take(request.requester, now: monotonic) else {
            return refuse("too many commands; slow down", .busy)
        }
        guard let verb = CommandVerb(rawValue: refused.verb) else { return refuse("there is no such verb") }
        guard let issued = Timestamp(rfc3339: request.issuedAt) else { return refuse("issued_at wants RFC 3339") }
        if verb != .receipt, abs(now.milliseconds - issued.milliseconds) > Self.longestAge {
            return refuse("issued more than 5 minutes off this agent's clock", .stale)
        }
        let epoch = request.epoch.flatMap { Epoch($0) }
        if epoch?.isAtTheEnd == true { return refuse("no epoch is of the year 9999") }
        do throws(Command.Ask.Malformed) {
            return .admitted(
                Command(
                    id: request.id, requester: request.requester, address: own, verb: verb,
                    ask: try Command.Ask(verb, request), epoch: epoch))
        } catch {
            refused.limit = error.limit
            return refuse(error.message, error.code)
        }
    }

    private func address(_ topic: String?, _ correlation: [UInt8]) -> ReplyAddress? {
        guard let topic, topics.requester(ofResponseTopic: topic) != nil,
            correlation.count <= Self.longestCorrelationBytes
        else { return nil }
        return ReplyAddress(topic: topic, correlation: correlation)
    }

    /// Why the command's sender is not believed; nil when it is.
    private func distrust(_ envelope: SignedCommand?, topic: String) -> String? {
        guard !keys.isEmpty else { return nil }
        guard let envelope else { return "this agent takes signed commands only" }
        guard let key = keys.first(where: { $0.text == envelope.key }) else {
            return "the key is not among this agent's [commands] keys"
        }
        let isTrue = key.verifies(envelope.sig, of: SignedCommand.message(topic: topic, body: envelope.body))
        return isTrue ? nil : "the signature does not fit topic and body"
    }
}
