import Contract
import Foundation
import Inventory
import MQTT
import Synchronization
import Testing

@testable import Receiver

/// An agent in memory: it has events and stock, answers commands by the contract, and may be told to misbehave.
final class Scripted {
    static func epoch(_ number: Int) -> Epoch {
        guard let epoch = Epoch("2026112\(number)T091405Z-00ff") else { preconditionFailure("an epoch") }
        return epoch
    }

    let site: SiteIdentity
    let topics: Topics
    var epoch = Scripted.epoch(1)
    var previous: MetaAnnouncement.Previous?
    /// By epoch text and lane: payloads from sequence 1 on.
    var log: [String: [Lane: [[UInt8]]]] = [:]
    var pruned: [Lane: Int64] = [:]
    var stock: [StockKey: Balance] = [:]
    var tree = StockTree()
    var encoder: EventEncoder
    var beacons: Int64 = 0
    /// Commands that came, by verb.
    var asked: [String] = []
    var knowsOldEpochs = true
    /// Damages what a snapshot's chunk carries.
    var spoilChunks = 0
    /// A snapshot's page has so many keys.
    var keysAPage = 7
    var answers = true
    /// So many replays are refused with this code first.
    var refusal: (code: RejectionCode, times: Int)?
    /// When the commands that came were issued.
    var issued: [String] = []
    /// How many resyncs went on from a place.
    var resumed = 0
    private var nextID: UInt64 = 0

    init() {
        guard let site = SiteIdentity(tenant: "acme", site: "dc-7") else { preconditionFailure("a site") }
        self.site = site
        topics = Topics(site: site)
        encoder = EventEncoder(site: site)
    }

    func head(_ lane: Lane) -> Int64 { Int64(log[epoch.text]?[lane]?.count ?? 0) }

    /// Appends an event that changes a key; its payload.
    @discardableResult
    func append(
        _ sku: String, _ figure: Int64?, lane: Lane = .standard, id: UInt64? = nil, bumps: Bool = true
    ) -> [UInt8] {
        let key = StockKey(sku: sku, location: "A-1")
        let before = stock[key]
        let version = (before?.version ?? 0) + (bumps ? 1 : 0)
        let balance = Balance(version: version) { $0 == .unrestricted ? figure.map { $0 * 1_000_000 } : 0 }
        stock[key] = balance
        tree.replace(
            before.map { BalanceLine(key: key, balance: $0).sum }, by: BalanceLine(key: key, balance: balance).sum,
            in: key.leaf)
        nextID += 1
        let now = Timestamp(milliseconds: 1_795_000_000_000)
        let number = id ?? nextID
        let draft = EventDraft(
            id: EventID(high: 0x8000, low: 1 << 63 | number), type: .received, sku: sku,
            origin: Origin(
                source: "moves", kind: "tail", object: "m", position: "0", key: nil,
                recordHash: Digest(sha256: "\(number)")), occurredAt: now, timeQuality: .exact, capturedAt: now,
            mappingVersion: "1", traceparent: Traceparent(trace: (1, 2), parent: 3))
        let payload = encoder.encode(
            draft, lane: lane, sequence: head(lane) + 1, epoch: epoch,
            balances: [BalanceLine(key: key, balance: balance)])
        log[epoch.text, default: [:]][lane, default: []].append(payload)
        return payload
    }

    func begin(_ next: Epoch) {
        previous = .init(
            epoch: epoch.text,
            heads: Dictionary(uniqueKeysWithValues: Lane.allCases.map { ($0.name, head($0)) }))
        epoch = next
    }

    // MARK: messages

    func message(_ topic: String, _ payload: [UInt8], isRetained: Bool = false) -> InboundMessage {
        InboundMessage(topic: topic, payload: payload, isRetained: isRetained)
    }

    func event(_ lane: Lane, _ sequence: Int64) throws -> InboundMessage {
        message(topics.events(lane), try #require(log[epoch.text]?[lane]?[Int(sequence) - 1]))
    }

    func beacon(isRetained: Bool = false, root: Bool = true) throws -> InboundMessage {
        beacons += 1
        let lanes = Lane.allCases.map {
            BeaconAnnouncement.LaneLine(
                name: $0.name, epoch: epoch.text, head: head($0), acked: head($0), oldest: (pruned[$0] ?? 0) + 1,
                backlog: 0, backlogBytes: 0, oldestUnackedAge: 0)
        }
        let beacon = BeaconAnnouncement(
            n: beacons, session: "s", instance: "i", at: "2026-11-23T09:14:05.000Z", epoch: epoch.text,
            tree: root ? tree.root().hex : nil, lanes: lanes, sources: [], health: "ok", reasons: [])
        return message(topics.beacon, try wireBytes(beacon), isRetained: isRetained)
    }

    func meta() throws -> InboundMessage {
        let meta = MetaAnnouncement(
            agent: "1", instance: "i", epoch: epoch.text, previous: previous, lanes: Lane.allCases.map(\.name),
            sources: [], schemas: [], limits: .init(maxPacket: 1, batchEvents: 1, batchBytes: 1, outboxBytes: 1),
            retention: .init(milliseconds: 86_400_000, bytes: 1, seenDays: 1), timeZone: "UTC")
        return message(topics.meta, try wireBytes(meta), isRetained: true)
    }

    // MARK: commands

    func answer(_ command: Message) throws -> [InboundMessage] {
        let verb = command.topic.split(separator: "/").last.map(String.init) ?? ""
        let request = try JSONDecoder().decode(CommandRequest.self, from: Data(command.payload))
        asked.append(verb)
        issued.append(request.issuedAt)
        guard answers else { return [] }
        var reply = CommandReply(
            id: request.id, verb: verb, status: .done, at: "2026-11-23T09:14:05.000Z", epoch: epoch.text)
        let topic = topics.replies(request.requester)
        if verb == "replay", let (code, times) = refusal, times > 0 {
            refusal = (code, times - 1)
            reply.status = .rejected
            reply.code = code
            reply.message = "refused"
            return [message(topic, try wireBytes(reply))]
        }
        switch verb {
        case "replay": return try replay(request, reply, topic)
        case "receipt": (reply.lane, reply.of, reply.sequence) = (request.lane, request.epoch, request.sequence)
        case "resync": return try resync(request, reply, topic)
        case "digest":
            let node = try #require(TreeNode(request.node ?? ""))
            reply.node = node.description
            reply.lanes = Lane.allCases.map { .init(name: $0.name, head: head($0), acked: head($0), oldest: nil) }
            if node.isLeaf {
                reply.lines = stock.filter { Int($0.key.leaf) == node.index }.map { key, balance in
                    .init(
                        key: WireKey(key), version: balance.version,
                        hash: BalanceLine(key: key, balance: balance).sum.description)
                }
            } else {
                reply.hash = tree.digest(node).hex
                reply.children = tree.childHashes(of: node)
            }
        default: break
        }
        return [message(topic, try wireBytes(reply))]
    }

    private func replay(_ request: CommandRequest, _ base: CommandReply, _ topic: String) throws -> [InboundMessage] {
        var reply = base
        let lane = try #require(request.lane.flatMap { Lane(name: $0) })
        let from = try #require(request.from)
        guard let lanes = log[request.epoch ?? ""], knowsOldEpochs || request.epoch == epoch.text else {
            reply.status = .rejected
            reply.code = .unknownEpoch
            return [message(topic, try wireBytes(reply))]
        }
        let events = lanes[lane] ?? []
        let oldest = (pruned[lane] ?? 0) + 1
        guard from >= oldest else {
            reply.status = .rejected
            reply.code = .rangePruned
            reply.oldest = oldest
            return [message(topic, try wireBytes(reply))]
        }
        let to = min(Int64(events.count), request.to ?? 0, from + 9)
        let part = from <= to ? Array(events[Int(from - 1)...Int(to - 1)]) : []
        let array = [UInt8(ascii: "[")] + part.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")]
        reply.sent = Int64(part.count)
        reply.last = to
        reply.next = to < min(Int64(events.count), request.to ?? 0) ? to + 1 : nil
        var accepted = base
        accepted.status = .accepted
        return [message(topic, try wireBytes(accepted))] + (part.isEmpty ? [] : [message(topic, array)])
            + [message(topic, try wireBytes(reply))]
    }

    private func resync(_ request: CommandRequest, _ base: CommandReply, _ topic: String) throws -> [InboundMessage] {
        let name = request.snapshot ?? request.id
        if request.resume != nil { resumed += 1 }
        var scope = SnapshotScope(sku: request.sku ?? "", location: request.location ?? "")
        scope.leaf = request.leaf.flatMap { TreeNode($0) }.map { UInt16($0.index) }
        let now = Timestamp(milliseconds: 1_795_000_000_000)
        let asof = ByLane { head($0) }
        var messages: [InboundMessage] = []
        var accepted = base
        accepted.status = .accepted
        accepted.snapshot = name
        messages.append(message(topic, try wireBytes(accepted)))
        if request.resume == nil {
            messages.append(
                message(topic, encoder.encodeSnapshotBegin(name, scope: scope, epoch: epoch, asof: asof, now: now)))
        }
        let keys = stock.keys.filter { scope.contains($0) }.sorted { ($0.sku, $0.location) < ($1.sku, $1.location) }
        let rest = request.resume.map { place in keys.filter { $0.sku > place.after.sku } } ?? keys
        let page = Array(rest.prefix(keysAPage))
        var done = base
        done.snapshot = name
        var sum = request.resume.flatMap { LineSum($0.lines) } ?? .zero
        var count = request.resume?.keys ?? 0
        if let first = page.first, let last = page.last {
            var bytes: [UInt8] = []
            for key in page {
                let line = BalanceLine(key: key, balance: try #require(stock[key]))
                bytes.append(UInt8(ascii: bytes.isEmpty ? "[" : ","))
                encoder.encodeSnapshotLevel(line, snapshot: name, epoch: epoch, now: now, into: &bytes)
                sum = sum + line.sum
            }
            bytes.append(UInt8(ascii: "]"))
            count += Int64(page.count)
            var told = base
            told.status = .progress
            told.snapshot = name
            var digest = Digest(sha256: bytes).hex
            if spoilChunks > 0 {
                spoilChunks -= 1
                digest = Digest(sha256: "other").hex
            }
            let place = SnapshotPlace(after: WireKey(last), keys: count, lines: sum.description, asof: asof)
            told.chunk = SnapshotChunk(
                first: WireKey(first), last: WireKey(last), count: page.count, sha256: digest, place: place)
            messages += [message(topic, bytes), message(topic, try wireBytes(told))]
            if rest.count > page.count { done.resume = place }
        }
        if done.resume == nil {
            messages.append(
                message(
                    topic,
                    encoder.encodeSnapshotEnd(name, epoch: epoch, asof: asof, keys: count, sum: sum, now: now)))
        }
        return messages + [message(topic, try wireBytes(done))]
    }
}

/// A receiver's core with a clock of its own, and the agent that it asks.
final class Bench {
    let agent = Scripted()
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("wb-\(UUID().uuidString).sqlite").path
    private(set) var core: ReceiverCore
    let printed = Printed()
    var now: Int64 = 1_000
    /// What the agent answered and is not delivered yet.
    var onTheWay: [InboundMessage] = []

    final class Printed: Sendable {
        let lines = Mutex<[String]>([])
        let isClosed = Atomic(false)
        let notices = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
    }

    init() throws { core = try Self.open(path, printed) }

    deinit {
        for suffix in ["", "-wal", "-shm", ".lock"] { try? FileManager.default.removeItem(atPath: path + suffix) }
    }

    private static func open(_ path: String, _ printed: Printed, prints: Bool = true) throws -> ReceiverCore {
        let broker = try #require(BrokerAddress("mqtt://127.0.0.1:1"))
        var options = ReceiverOptions(
            mqtt: MQTTOptions(brokers: [broker], clientID: "c"), tenant: "acme", path: path, requester: "ingest",
            programVersion: "1")
        let output: @Sendable ([UInt8]) -> Bool = { payload in
            guard !printed.isClosed.load(ordering: .relaxed) else { return false }
            printed.lines.withLock { $0.append(String(decoding: payload, as: UTF8.self)) }
            return true
        }
        if prints { options.output = output }
        options.notice = { words in printed.notices.withLock { $0.append(words) } }
        return try ReceiverCore(options)
    }

    /// As SIGKILL does: what was not committed is gone.
    func kill(thenPrints prints: Bool = true) throws {
        let nothing = FileManager.default.temporaryDirectory.appendingPathComponent("wb-\(UUID().uuidString).sqlite")
            .path
        core = try Self.open(nothing, printed)
        core = try Self.open(path, printed, prints: prints)
        onTheWay = []
        for suffix in ["", "-wal", "-shm", ".lock"] { try? FileManager.default.removeItem(atPath: nothing + suffix) }
    }

    func deliver(_ message: InboundMessage) throws {
        try core.take(message, wall: Timestamp(milliseconds: 1_795_000_000_000 + now), now: now)
    }

    func commit() throws {
        for command in try core.commit(wall: Timestamp(milliseconds: 1_795_000_000_000 + now), now: now) {
            onTheWay += try agent.answer(command)
        }
    }

    /// Lets time pass and all answers arrive until nothing moves any more.
    func settle(turns: Int = 200) throws {
        for _ in 0..<turns {
            now += 250
            try commit()
            let answers = onTheWay
            onTheWay = []
            for answer in answers { try deliver(answer) }
        }
        try commit()
    }

    var counts: SiteCounts { core.counts["dc-7"] ?? SiteCounts() }

    var notices: [String] { printed.notices.withLock { $0 } }

    func last(_ lane: Lane) -> Int64 { core.offsets["dc-7"]?.last[lane] ?? -1 }

    /// The sequences that were printed, of one epoch.
    func sequences(_ lane: Lane, _ epoch: Epoch) throws -> [Int64] {
        try printed.all.flatMap { try EventReader.read(Array($0.utf8)) }
            .filter { $0.epoch == epoch && $0.place?.lane == lane }.map { $0.place?.sequence ?? 0 }
    }

    func stock() throws -> [StockKey: Balance] {
        try ReceiverView(path: path).balances(site: "dc-7").mapValues(\.balance)
    }

    func log() throws -> [String] {
        try ReceiverView(path: path).log(site: nil, limit: 1_000).map { "\($0.kind): \($0.words)" }
    }
}
