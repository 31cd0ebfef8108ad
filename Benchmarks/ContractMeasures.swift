import Agent
import Contract
import FoundationEssentials
import Glibc
import Inventory
import MQTT
import Receiver
import SQLite
import Synchronization

// What the contract costs: replay beside live events, resync, a drift found by hash, the reference consumer, the tree.

/// Asks one agent, page by page, and counts what comes.
final class PagingRequester: Sendable {
    private struct State {
        var events = 0
        var isReady = false
        var isDone = false
        var failure: String?
        var lastAt: Int64 = 0
    }

    private let state = Mutex(State())
    private let session = Mutex<MQTTSession?>(nil)

    var events: Int { state.withLock { $0.events } }
    var isDone: Bool { state.withLock { $0.isDone } }
    var failure: String? { state.withLock { $0.failure } }
    var lastAt: Int64 { state.withLock { $0.lastAt } }

    /// `ask` makes each page's request: the first without a reply, the next from the last `done`; nil ends it.
    init(
        port: UInt16, site: SiteIdentity, verb: CommandVerb,
        ask: @escaping @Sendable (CommandReply?) -> ((inout CommandRequest) -> Void)?
    ) throws {
        guard let address = BrokerAddress("mqtt://127.0.0.1:\(port)") else { return }
        var options = MQTTOptions(brokers: [address], clientID: "waybill-bench-requester")
        options.isCleanStart = false
        let session = MQTTSession(options: options) { Handler(self, Topics(site: site), verb, ask) }
        self.session.withLock { $0 = session }
        session.start()
        try wait(for: "the requester's subscription") { state.withLock { $0.isReady } }
    }

    func stop() { session.withLock { $0 }?.stop() }

    private final class Handler: SessionHandler {
        private let owner: PagingRequester
        private let topics: Topics
        private let verb: CommandVerb
        private let ask: @Sendable (CommandReply?) -> ((inout CommandRequest) -> Void)?
        private var pending: Message?

        init(
            _ owner: PagingRequester, _ topics: Topics, _ verb: CommandVerb,
            _ ask: @escaping @Sendable (CommandReply?) -> ((inout CommandRequest) -> Void)?
        ) {
            self.owner = owner
            self.topics = topics
            self.verb = verb
            self.ask = ask
        }

        func willConnect() -> ConnectDecision { .connect(clientIDSuffix: "", will: nil) }
        func connected(_ port: SessionPort) { port.subscribe([topics.replies("bench")]) }

        func subscribed(codes: [Int32], port: SessionPort) {
            owner.state.withLock { $0.isReady = true }
            next(nil)
        }

        private func next(_ reply: CommandReply?) {
            guard let change = ask(reply) else { return owner.state.withLock { $0.isDone = true } }
            let id = EventID(high: .random(in: 0...UInt64.max), low: .random(in: 0...UInt64.max)).description
            var request = CommandRequest(id: id, requester: "bench", issuedAt: Clocks.wall().description)
            change(&request)
            var message = Message(
                topic: topics.command(verb), payload: (try? wireBytes(request)) ?? [], retain: false,
                contentType: "application/json", userProperties: [])
            message.responseTopic = topics.replies("bench")
            pending = message
        }

        func received(_ message: InboundMessage, port: SessionPort) {
            if let reply = readWire(CommandReply.self, from: message.payload) {
                if reply.status == .done { next(reply) }
                if reply.status == .rejected {
                    owner.state.withLock { $0.failure = "\(reply.code?.rawValue ?? "") \(reply.message ?? "")" }
                }
                refill(port)
            } else {
                let count = (try? EventReader.read(message.payload).count) ?? 0
                owner.state.withLock { state in
                    state.events += count
                    state.lastAt = nanoseconds()
                }
            }
        }

        func acknowledged(token: UInt64, reason: UInt8, port: SessionPort) {}
        func refill(_ port: SessionPort) {
            guard let message = pending, port.publish(message, token: 1) == .sent else { return }
            pending = nil
        }
        func tick(nowMilliseconds: Int64, port: SessionPort?) { port.map(refill) }
        func lost(_ loss: ConnectionLoss) {}
        func farewell(_ port: SessionPort) -> Message? { nil }
    }
}

struct ContractMeasures {
    let program: String
    let replayed: Int
    let keys: Int
    let directory: String

    private static var site: SiteIdentity {
        get throws {
            guard let site = SiteIdentity(tenant: "demo", site: "dc-1") else {
                throw BenchError(description: "no site")
            }
            return site
        }
    }

    func run(into table: inout FigureTable) throws {
        try replay(&table)
        try resync(&table)
        try receive(&table)
        tree(&table)
    }

    /// An agent that answers `bench`, and its broker, in a directory of their own.
    private func scene(_ name: String) throws -> (home: String, broker: DemoBroker, start: () throws -> ChildProcess) {
        let home = "\(directory)/\(name)"
        mkdir(home, 0o700)
        let broker = try DemoBroker(directory: home)
        try broker.start()
        let text = Demo.configuration(port: broker.port, requesters: ["bench"])
        try FileBytes.replace(
            home + "/agent.conf", with: text.replacing("[mqtt]\n", with: "[mqtt]\nno_subscriber = \"accept\"\n"))
        let program = program
        return (
            home, broker,
            { try ChildProcess(program, ["run", "--config", home + "/agent.conf"], log: home + "/agent.log") }
        )
    }

    private func epoch(_ home: String) throws -> String {
        try ControlClient(path: home + "/control.sock").get(StatusDocument.self, "/v1/status").epoch
    }

    // MARK: replay

    private func replay(_ table: inout FigureTable) throws {
        let (home, broker, start) = try scene("replay")
        defer { try? FileManager.default.removeItem(atPath: home) }
        var export = try Export(path: home + "/moves.csv")
        try export.append(lines: replayed)
        let live = try Subscriber(port: broker.port, topic: "waybill/v1/+/demo/dc-1/ev/+", keepsArrivals: true)
        let agent = try start()
        try wait(for: "\(replayed) events") { live.events >= replayed }
        // What is replayed is what the outbox holds as acked.
        try wait(for: "the acks") { Self.acked(home) >= replayed }
        let (epoch, last) = (try epoch(home), Int64(replayed))
        let begun = nanoseconds()
        let requester = try PagingRequester(port: broker.port, site: try Self.site, verb: .replay) { reply in
            let from = reply == nil ? 1 : reply?.next
            return from.map { from in
                { request in
                    (request.lane, request.epoch, request.from, request.to) = ("standard", epoch, from, last)
                }
            }
        }
        var written: [Int64] = []
        while !requester.isDone || written.count < 400 {
            poll(nil, 0, 5)
            written.append(nanoseconds())
            try export.append(lines: 1)
            if let failure = requester.failure { throw BenchError(description: "replay: \(failure)") }
            guard nanoseconds() - begun < 120_000_000_000 else { throw BenchError(description: "replay took too long") }
        }
        try wait(for: "the live rows") { live.events >= replayed + written.count }
        let arrivals = live.arrivals.dropFirst(replayed)
        let waits = zip(written, arrivals).map { Double($1 - $0) / 1e6 }
        let rate = Double(requester.events) / (Double(requester.lastAt - begun) / 1e9)
        table.add("replay of \(replayed) beside 200 live/s", rate, "events/s", bar: "≥ 20000")
        table.add("live p99 meanwhile", quantile(waits, 0.99), "ms", bar: "≤ 50")
        requester.stop()
        live.stop()
        agent.end(SIGTERM)
        broker.stop()
    }

    private static func acked(_ home: String) -> Int {
        guard let reader = try? Connection.openReader(path: home + "/data/outbox.sqlite") else { return 0 }
        return Int((try? reader.integer("SELECT sum(acked) FROM lanes")) ?? 0)
    }

    // MARK: resync and drift

    private func resync(_ table: inout FigureTable) throws {
        let (home, broker, start) = try scene("resync")
        defer { try? FileManager.default.removeItem(atPath: home) }
        try writeKeys(home + "/moves.csv")
        let agent = try start()
        try wait(for: "\(keys) keys", seconds: 300) { Self.acked(home) >= keys }
        let begun = nanoseconds()
        let requester = try PagingRequester(port: broker.port, site: try Self.site, verb: .resync) { reply in
            guard let reply else { return { _ in } }
            guard let place = reply.resume else { return nil }
            let (snapshot, epoch) = (reply.snapshot, reply.epoch)
            return { request in (request.snapshot, request.epoch, request.resume) = (snapshot, epoch, place) }
        }
        var peak = 0.0
        try wait(for: "the snapshot") {
            peak = max(peak, Backlog.residentMegabytes(agent.pid))
            if let failure = requester.failure { throw BenchError(description: "resync: \(failure)") }
            return requester.isDone
        }
        table.add("resync of \(keys) keys", Double(requester.lastAt - begun) / 1e9, "s", bar: "≤ 20")
        table.add("agent resident meanwhile", peak, "MB", bar: "≤ 40")
        requester.stop()
        try drift(home, broker, &table)
        agent.end(SIGTERM)
        broker.stop()
    }

    /// Each line is another key.
    private func writeKeys(_ path: String) throws {
        var text = Array((DemoWarehouse.header + "\n").utf8)
        for number in 0..<keys {
            text += Array("T-\(number);RC;20261123;091405;\(100_000 + number);W1;B\(number % 7);;5,0;EA;SO-1;x\n".utf8)
        }
        try FileBytes.append(text, to: path)
    }

    private func drift(_ home: String, _ broker: DemoBroker, _ table: inout FigureTable) throws {
        let file = home + "/received.sqlite"
        var words = ReceiverWords()
        (words.broker, words.tenant, words.path, words.requester) =
            ("mqtt://127.0.0.1:\(broker.port)", "demo", file, "bench")
        let options = try words.options(programVersion: "bench")
        do {
            let receiver = try Receiver(options)
            receiver.start()
            try wait(for: "the receiver", seconds: 180) {
                receiver.snapshot.standings.first.map { $0.isLevel && $0.isSettled } ?? false
            }
            receiver.stop()
        }
        try Connection(path: file, mode: .readWriteCreate).execute(
            "UPDATE stock SET unrestricted = unrestricted + 1 WHERE sku = '100777'")
        let receiver = try Receiver(options)
        receiver.start()
        try wait(for: "the receiver's stock") { receiver.snapshot.standings.first?.isLevel ?? false }
        let begun = nanoseconds()
        receiver.descend()
        try wait(for: "the drift to be mended") {
            let counts = receiver.snapshot.counts["dc-1"]
            return counts?.drift == 1 && counts?.snapshots == 1
        }
        table.add("one key of \(keys) found and mended, within", Double(nanoseconds() - begun) / 1e6, "ms")
        let bytes = Double(receiver.snapshot.counts["dc-1"]?.repairBytes ?? 0) / 1_024
        table.add("traffic of that", bytes, "KiB", bar: "≤ 64")
        receiver.stop()
    }

    // MARK: receiver and tree

    private func receive(_ table: inout FigureTable) throws {
        let file = "\(directory)/core.sqlite"
        var words = ReceiverWords()
        (words.broker, words.tenant, words.path, words.requester) = ("mqtt://127.0.0.1:1", "demo", file, "bench")
        let core = try ReceiverCore(try words.options(programVersion: "bench"))
        let messages = try batches(count: 200_000)
        let begun = nanoseconds()
        for message in messages {
            let now = nanoseconds() / 1_000_000
            try core.take(message, wall: Clocks.wall(), now: now)
            if core.isCommitDue(now: now, isQuiet: false) { _ = try core.commit(wall: Clocks.wall(), now: now) }
        }
        _ = try core.commit(wall: Clocks.wall(), now: nanoseconds() / 1_000_000)
        let seconds = Double(nanoseconds() - begun) / 1e9
        guard core.counts["dc-1"]?.received == 200_000 else { throw BenchError(description: "the receiver lost some") }
        table.add("receiver, 200000 events into SQLite", 200_000 / seconds, "events/s", bar: "≥ 30000")
    }

    private func batches(count: Int) throws -> [InboundMessage] {
        let site = try Self.site
        guard let epoch = Epoch("20261123T091405Z-00ff") else { return [] }
        var encoder = EventEncoder(site: site)
        let topic = Topics(site: site).events(.standard)
        let now = Timestamp(milliseconds: 1_795_000_000_000)
        var messages: [InboundMessage] = []
        var payload: [UInt8] = []
        for number in 1...count {
            let record = try SeenCost.record(number, site, isTracked: false, isRandom: false, now)
            guard case .events(let drafts) = record.outcome, let draft = drafts.first else { continue }
            let key = StockKey(sku: draft.sku, location: "A")
            let balance = Balance(version: Int64(number / 5_000 + 1)) {
                $0 == .allocated ? nil : Int64(number) * 1_000_000
            }
            payload.append(payload.isEmpty ? UInt8(ascii: "[") : UInt8(ascii: ","))
            payload += encoder.encode(
                draft, lane: .standard, sequence: Int64(number), epoch: epoch,
                balances: [BalanceLine(key: key, balance: balance)])
            if number % 90 == 0 || number == count {
                messages.append(
                    InboundMessage(topic: topic, payload: payload + [UInt8(ascii: "]")], isRetained: false))
                payload = []
            }
        }
        return messages
    }

    private func tree(_ table: inout FigureTable) {
        var tree = StockTree()
        var lines = (0..<5_000).map { number in
            BalanceLine(
                key: StockKey(sku: "\(100_000 + number)", location: "A-01-\(number % 40)", lot: "L\(number % 9)"),
                balance: Balance(version: 1) { _ in 12_500_000 })
        }
        let leaves = lines.map(\.key.leaf)
        var sums: [LineSum] = lines.map(\.sum)
        for index in lines.indices { tree.replace(nil, by: sums[index], in: leaves[index]) }
        let begun = nanoseconds()
        for _ in 0..<100 {
            for index in lines.indices {
                lines[index].balance.version += 1
                let sum = lines[index].sum
                tree.replace(sums[index], by: sum, in: leaves[index])
                sums[index] = sum
            }
        }
        table.add("hash tree upkeep", Double(nanoseconds() - begun) / 500_000 / 1_000, "µs a changed key", bar: "≤ 1")
        let asked = nanoseconds()
        _ = tree.root()
        table.add("its root, all leaves changed", Double(nanoseconds() - asked) / 1e6, "ms")
    }
}
