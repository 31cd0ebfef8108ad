import Contract
import Inventory
import MQTT
import Outbox

// Carries out what comes on `cmd/`, on the session's thread: the gate decides what is believed, the command log what was
// done before, jobs what is sent next. Nothing here waits for the network, and the outbox is read in short pages.

final class CommandRunner {
    let outbox: Outbox
    let settings: DeliverySettings
    let report: DeliveryReport
    let topics: Topics
    let board: RepairBoard
    let now: @Sendable () -> Int64
    let wallClock: @Sendable () -> Timestamp
    var encoder: EventEncoder

    private var gate: CommandGate
    private var tally = RefusalTally()
    var receipts = ReceiptDesk()
    var replies = Replies()
    var jobs: [RepairJob] = []
    private var turn = 0
    /// A job found nothing to send among the rows it looked at: the rest waits for the next turn.
    var isScanning = false
    private var lastJob: Int64 = 0
    private var reader: OutboxReader?
    /// When commands made an epoch begin, in monotonic milliseconds.
    private var epochsBegun: [Int64] = []
    /// Of the present connection, for `ping`.
    var session = ""

    init(
        outbox: Outbox, settings: DeliverySettings, report: DeliveryReport, board: RepairBoard, topics: Topics,
        now: @escaping @Sendable () -> Int64, wallClock: @escaping @Sendable () -> Timestamp
    ) {
        self.outbox = outbox
        self.settings = settings
        self.report = report
        self.board = board
        self.topics = topics
        self.now = now
        self.wallClock = wallClock
        encoder = EventEncoder(site: settings.site)
        gate = CommandGate(topics: topics, settings: settings.commands)
    }

    // MARK: commands

    func received(_ message: InboundMessage, port: SessionPort) {
        switch gate.judge(message, now: wallClock(), monotonic: now()) {
        case .refused(let refused): refuse(refused)
        case .admitted(let command):
            do { try take(command, port) } catch {
                reader = nil
                answer(command, .rejected) {
                    $0.code = .busy
                    $0.message = "the outbox cannot be read just now"
                }
                report.trouble("cannot carry out a command: \(error)")
            }
        }
    }

    private func refuse(_ refused: CommandGate.Refused) {
        if let address = refused.address {
            var reply = blank(refused.id, refused.verb, .rejected)
            reply.code = refused.code
            reply.message = refused.message
            reply.limit = refused.limit
            send(reply, to: address)
        }
        if let entry = tally.note(refused, now: wallClock(), monotonic: now()) { record(entry) }
    }

    /// Refuses a command that the gate let pass.
    func refuse(
        _ command: Command, _ code: RejectionCode, _ message: String, _ change: (inout CommandReply) -> Void = { _ in }
    ) {
        answer(command, .rejected) {
            $0.code = code
            $0.message = message
            change(&$0)
        }
        let refused = CommandGate.Refused(
            id: command.id, requester: command.requester, verb: command.verb.rawValue, address: nil, code: code,
            message: message)
        if let entry = tally.note(refused, now: wallClock(), monotonic: now()) { record(entry) }
    }

    private func take(_ command: Command, _ port: SessionPort) throws {
        let own = outbox.progress.epoch
        if let epoch = command.epoch, epoch > own {
            guard mayBeginEpoch() else { return refuse(command, .busy, "epochs began too often just now") }
            let begun = try outbox.startEpoch(
                above: [epoch], reason: "\(command.requester) knows \(epoch.text)", now: wallClock(),
                actor: "requester \(command.requester)")
            refuse(command, .unknownEpoch, "that epoch is not this agent's; it began \(begun.text) above it")
            return report.trouble("a consumer knows a later epoch; \(begun.text) begun")
        }
        switch command.ask {
        case .ping: try ping(command)
        case .digest(let node): try digest(command, node)
        case .receipt(let claim): try receipt(command, claim)
        case .replay, .resync: try begin(command)
        }
    }

    /// A consumer that is wrong again and again must not use up the epochs: five within five minutes.
    private func mayBeginEpoch() -> Bool {
        epochsBegun.removeAll { now() - $0 > 300_000 }
        guard epochsBegun.count < 5 else { return false }
        epochsBegun.append(now())
        return true
    }

    private func ping(_ command: Command) throws {
        let known = try openReader().epoch(outbox.progress.epoch)
        answer(command, .done) { reply in
            reply.agent = settings.agentVersion
            reply.instance = outbox.instance
            reply.session = session
            reply.lanes = known.map { known in
                Lane.allCases.map { lane in
                    let line = known.lanes[lane]
                    return .init(name: lane.name, head: line.head, acked: line.acked, oldest: line.oldest)
                }
            }
        }
    }

    private func digest(_ command: Command, _ node: TreeNode) throws {
        guard let found = try outbox.digest(of: node) else {
            return refuse(command, .busy, "the stock tree is still being built")
        }
        if node.isLeaf { report.figures.drifted() }
        answer(command, .done) { reply in
            reply.epoch = found.epoch.text
            reply.lanes = Lane.allCases.map { .init(name: $0.name, head: found.heads[$0], acked: 0, oldest: nil) }
            reply.node = node.description
            reply.hash = found.hash
            if node.isLeaf {
                reply.lines = found.lines.map {
                    .init(key: WireKey($0.key), version: $0.balance.version, hash: $0.sum.description)
                }
            } else {
                reply.children = found.children
            }
        }
    }

    // MARK: receipts

    private func receipt(_ command: Command, _ claim: Command.ReceiptClaim) throws {
        switch try ReceiptDesk.judge(claim, reader: openReader()) {
        case .good:
            let receipt = Receipt(
                requester: command.requester, lane: claim.lane, epoch: claim.epoch, sequence: claim.sequence,
                at: wallClock())
            receipts.add(command, receipt, now: now())
        case .unknownEpoch: refuse(command, .unknownEpoch, "this outbox does not hold epoch \(claim.epoch.text)")
        case .fork:
            guard claim.epoch != outbox.progress.epoch || mayBeginEpoch() else {
                return refuse(command, .busy, "epochs began too often just now")
            }
            refuse(command, .fork, "another event stands there, or none yet: a new epoch begins")
            guard claim.epoch == outbox.progress.epoch else { return }
            let begun = try outbox.startEpoch(
                above: [], reason: "fork at \(claim.lane.name) \(claim.sequence), seen by \(command.requester)",
                now: wallClock(), actor: "requester \(command.requester)")
            report.trouble(
                "\(command.requester) has other events than this outbox (\(claim.lane.name) \(claim.sequence)): it was "
                    + "rolled back or copied; epoch \(begun.text) begun")
        }
    }

    private func writeReceipts() {
        let due = receipts.due(now: now())
        guard !due.isEmpty else { return }
        do {
            try outbox.take(due.map(\.receipt))
            for (command, receipt) in due {
                answer(command, .done) { reply in
                    reply.lane = receipt.lane.name
                    reply.of = receipt.epoch.text
                    reply.sequence = receipt.sequence
                }
            }
        } catch { report.trouble("cannot store receipts: \(error)") }
    }

    // MARK: turns

    /// Something waits to be sent and nothing is in flight: it gets one message even when live events fill the window.
    func refillFirst(_ port: SessionPort) {
        if replies.isIdle, port.hasRoom { _ = sendOne(port) }
    }

    func refill(_ port: SessionPort) {
        isScanning = false
        while port.hasRoom, replies.hasRoom(window: port.windowSize), !isScanning, sendOne(port) {}
        port.longestWait = isScanning ? 0 : receipts.isEmpty ? 250 : 50
    }

    /// False when there is nothing to send or the connection is over.
    private func sendOne(_ port: SessionPort) -> Bool {
        if let outcome = replies.sendWaiting(port) {
            if outcome == .tooLarge { report.trouble("an answer is larger than the broker takes, and is left out") }
            return outcome != .lost
        }
        let open = jobs.indices.filter { !jobs[$0].isSent }
        guard let first = open.first else { return false }
        turn = open.first { $0 > turn } ?? first
        do { return try advance(turn, port, reader: openReader()) } catch {
            reader = nil
            fail(jobs.remove(at: turn), "the outbox could not be read: \(error)")
            return true
        }
    }

    func tick(_ port: SessionPort) {
        writeReceipts()
        for entry in tally.due(now: wallClock(), monotonic: now()) { record(entry) }
        takeOrder()
    }

    /// False for a token that is no answer's.
    func acknowledged(token: UInt64, reason: UInt8) -> Bool {
        guard let flight = replies.answered(token) else { return token & Replies.token != 0 && token >> 63 == 0 }
        guard let index = jobs.firstIndex(where: { $0.id == flight.job }) else { return true }
        if reason == 0x10 || reason >= 0x80 {
            let words = reason == 0x10 ? "nobody is subscribed for the answers" : "the broker refused an answer"
            fail(jobs.remove(at: index), "\(words) (0x\(String(reason, radix: 16)))")
        } else if let place = flight.confirms {
            jobs[index].confirm(place)
            if case .technician(let order, _, _) = jobs[index].origin {
                let sent = jobs[index].sent
                board.change(order) { $0.sent = sent }
            }
            finishWhenAcked(index)
        }
        return true
    }

    /// A consumer asks again; a technician's repair goes on from what was acked.
    func lost() {
        // The file may have been set aside: the next connection opens it anew.
        reader = nil
        jobs.removeAll { !$0.isTechnicians }
        for index in jobs.indices { jobs[index].rewind(hadInFlight: replies.hasInFlight(jobs[index].id)) }
        replies.lost()
        receipts.lost()
        while let index = jobs.firstIndex(where: { $0.losses >= RepairJob.mostLosses }) {
            let words = "the connection was lost \(RepairJob.mostLosses) times while the same message was on its way"
            fail(jobs.remove(at: index), words)
        }
    }

    // MARK: parts

    func add(_ origin: RepairJob.Origin, _ work: RepairJob.Work) {
        lastJob += 1
        jobs.append(RepairJob(id: lastJob, origin: origin, begunAt: now(), work: work))
    }

    func openReader() throws -> OutboxReader {
        if let reader { return reader }
        let opened = try outbox.reader()
        reader = opened
        return opened
    }

    /// The audit log is for people: that it cannot be written stops nothing else.
    func record(_ entry: AuditEntry) {
        do { try outbox.record(entry) } catch { report.trouble("cannot write the audit log: \(error)") }
    }

    private func blank(_ id: String, _ verb: String, _ status: CommandReply.Status) -> CommandReply {
        CommandReply(
            id: id, verb: verb, status: status, at: wallClock().description, epoch: outbox.progress.epoch.text)
    }

    func reply(
        _ command: Command, _ status: CommandReply.Status, _ change: (inout CommandReply) -> Void
    ) -> CommandReply {
        var reply = blank(command.id, command.verb.rawValue, status)
        change(&reply)
        return reply
    }

    func answer(_ command: Command, _ status: CommandReply.Status, _ change: (inout CommandReply) -> Void) {
        send(reply(command, status, change), to: command.address)
    }

    private func send(_ reply: CommandReply, to address: ReplyAddress) {
        guard let bytes = try? wireBytes(reply) else { return }
        if !replies.add(message(bytes, to: address)) { report.trouble("too many answers wait for the broker") }
    }

    func message(_ reply: [UInt8], to address: ReplyAddress) -> Message {
        var message = Message(
            topic: address.topic, payload: reply, retain: false, contentType: "application/json", userProperties: [])
        message.correlation = address.correlation
        return message
    }
}
