import Contract
import Inventory
import Outbox

// How replays and snapshots begin: asked for by a command, or ordered by a technician.

extension CommandRunner {
    /// More at a time are `BUSY`.
    private static let mostJobs = 16

    func begin(_ command: Command) throws {
        if jobs.contains(where: { $0.isOf(command) }) { return answer(command, .accepted) { _ in } }
        let logged = LoggedCommand(
            id: command.id, requester: command.requester, verb: command.verb.rawValue, at: wallClock())
        // What was answered once is answered so again, whatever has changed since.
        if let reply = try openReader().reply(to: logged) {
            _ = replies.add(message(reply, to: command.address))
            return
        }
        guard jobs.count < Self.mostJobs else { return refuse(command, .busy, "too many repairs at a time") }
        guard let work = try work(of: command) else { return }
        let entry = AuditEntry(
            at: wallClock(), actor: "requester \(command.requester)", action: command.verb.rawValue,
            subject: command.subject, outcome: "accepted")
        if case .ended(let reply) = try outbox.begin(logged, audit: entry) {
            return _ = replies.add(message(reply, to: command.address))
        }
        add(.command(command), work)
        answer(command, .accepted) { if case .snapshot(let job) = work { $0.snapshot = job.snapshot } }
    }

    /// Nil when the command was refused.
    private func work(of command: Command) throws -> RepairJob.Work? {
        switch command.ask {
        case .replay(let ask): try replay(ask, command).map { .replay($0) }
        case .resync(let ask): resync(ask, command).map { .snapshot($0) }
        default: nil
        }
    }

    private func replay(_ ask: Command.Replay, _ command: Command) throws -> ReplayJob? {
        guard let known = try openReader().epoch(ask.epoch) else {
            refuse(command, .unknownEpoch, "this outbox does not hold epoch \(ask.epoch.text)")
            return nil
        }
        let line = known.lanes[ask.lane]
        let oldest = line.oldest > 0 ? min(line.oldest, line.acked + 1) : line.acked + 1
        if ask.sequences.lowerBound < oldest {
            refuse(command, .rangePruned, "the oldest event that is kept has sequence \(oldest)") { $0.oldest = oldest }
            return nil
        }
        return ReplayJob(
            lane: ask.lane, epoch: ask.epoch, sequences: ask.sequences, acked: line.acked,
            topic: ask.goesToLane ? topics.events(ask.lane) : command.address.topic, isOnLane: ask.goesToLane,
            isPaged: true)
    }

    private func resync(_ ask: Command.Resync, _ command: Command) -> SnapshotJob? {
        let progress = outbox.progress
        if let resume = ask.resume, resume.epoch != progress.epoch {
            refuse(command, .unknownEpoch, "another epoch began meanwhile; begin the snapshot anew")
            return nil
        }
        return SnapshotJob(
            snapshot: ask.resume?.snapshot ?? command.id, scope: ask.scope, epoch: progress.epoch,
            topic: command.address.topic, asof: ByLane { progress.lanes[$0].head }, resume: ask.resume, isPaged: true)
    }

    // MARK: technicians

    func takeOrder() {
        guard !board.isEmpty, jobs.count < Self.mostJobs, let (id, order) = board.take() else { return }
        do { try begin(order, id) } catch { board.change(id) { $0.fail("the outbox could not be read: \(error)") } }
    }

    private func begin(_ order: RepairOrder, _ id: Int64) throws {
        let (work, total) = try work(of: order)
        board.change(id) { state in
            state.status = .running
            state.total = total
        }
        record(
            AuditEntry(
                at: wallClock(), actor: order.actor, action: order.verb.rawValue, subject: order.subject,
                outcome: "accepted"))
        add(.technician(order: id, actor: order.actor, subject: order.subject), work)
    }

    private func work(of order: RepairOrder) throws -> (RepairJob.Work, total: Int64?) {
        switch order.work {
        case .replay(let lane, let epoch, let sequences, let to):
            let acked = try openReader().epoch(epoch)?.lanes[lane].acked ?? 0
            let topic =
                switch to {
                case .lane: topics.events(lane)
                case .requester(let name): topics.replies(name)
                }
            let job = ReplayJob(
                lane: lane, epoch: epoch, sequences: sequences, acked: acked, topic: topic, isOnLane: to == .lane,
                isPaged: false)
            return (.replay(job), max(0, job.through - job.next + 1))
        case .resync(let scope, let requester):
            let progress = outbox.progress
            let name = EventID(high: .random(in: 0...UInt64.max), low: .random(in: 0...UInt64.max)).description
            let job = SnapshotJob(
                snapshot: name, scope: scope, epoch: progress.epoch, topic: topics.replies(requester),
                asof: ByLane { progress.lanes[$0].head }, resume: nil, isPaged: false)
            return (.snapshot(job), nil)
        }
    }
}
