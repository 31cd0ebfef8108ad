import Contract
import Inventory
import MQTT

/// What the followers of all sites share in one turn: the file, the clocks, and what is to go out after the commit.
final class ReceiverContext {
    let store: ReceiverStore
    let options: ReceiverOptions
    private let signer: SigningKey?
    /// Of the turn at hand.
    var wall = Timestamp(milliseconds: 0)
    var now: Int64 = 0

    /// Sent after the commit.
    private(set) var outgoing: [Message] = []
    /// Printed after the commit.
    private(set) var unprinted: [(number: Int64, payload: [UInt8])] = []
    /// Events since the last commit.
    var uncommitted = 0
    private var noticed: Set<String> = []
    /// Payloads are kept: to print them, now or by a later run, or for as long as events are kept.
    private let keepsPayloads: Bool

    private static let expirySeconds: UInt32 = 60
    private static let mostNotices = 1_000

    init(store: ReceiverStore, options: ReceiverOptions) {
        self.store = store
        self.options = options
        keepsPayloads = options.output != nil || options.keepEvents != nil || ((try? store.isPrinted) ?? false)
        signer = options.signingKey.flatMap { SigningKey(pem: $0) }
    }

    /// Asks an agent; the request's id.
    func ask(
        _ verb: CommandVerb, _ topics: Topics, clockOffset: Int64, _ change: (inout CommandRequest) -> Void
    ) -> (id: String, bytes: Int) {
        let id = EventID(
            high: (.random(in: 0...UInt64.max) & ~0xF000) | 0x4000,
            low: (.random(in: 0...UInt64.max) & ~(3 << 62)) | 1 << 63
        ).description
        var request = CommandRequest(
            id: id, requester: options.requester,
            issuedAt: Timestamp(milliseconds: wall.milliseconds + clockOffset).description)
        if options.mqtt.version == .v311 {
            request.responseTopic = topics.replies(options.requester)
            request.correlation = id
        }
        change(&request)
        guard var payload = try? wireBytes(request) else { return (id, 0) }
        let topic = topics.command(verb)
        if let signer, let signed = signer.sign(body: String(decoding: payload, as: UTF8.self), topic: topic) {
            payload = (try? wireBytes(signed)) ?? payload
        }
        var message = Message(
            topic: topic, payload: payload, retain: false, contentType: "application/json", userProperties: [])
        message.responseTopic = topics.replies(options.requester)
        message.correlation = Array(id.utf8)
        message.expirySeconds = Self.expirySeconds
        outgoing.append(message)
        return (id, payload.count)
    }

    /// An event had its effect: it is kept to be printed, or for as long as events are kept.
    func effect(_ payload: UnsafeRawBufferPointer, site: Int64) throws {
        guard keepsPayloads else { return }
        let number = try store.keep(payload, site: site, at: wall)
        if options.output != nil { unprinted.append((number, [UInt8](payload))) }
    }

    func log(
        _ kind: String, _ site: SiteFollower, lane: Lane? = nil, epoch: Epoch? = nil,
        _ range: ClosedRange<Int64>? = nil,
        _ words: String
    ) throws {
        try store.log(
            .init(
                at: wall, site: site.identity.site, kind: kind, lane: lane?.name, epoch: epoch?.text,
                first: range?.lowerBound, last: range?.upperBound, words: words), site: site.row.id)
    }

    /// Tells an operator, each text once.
    func notice(_ words: String) {
        guard noticed.count < Self.mostNotices, noticed.insert(words).inserted else { return }
        options.notice(words)
    }

    func takeOutgoing() -> [Message] {
        defer { outgoing = [] }
        return outgoing
    }

    func takeUnprinted() -> [(number: Int64, payload: [UInt8])] {
        defer { unprinted = [] }
        return unprinted
    }
}
