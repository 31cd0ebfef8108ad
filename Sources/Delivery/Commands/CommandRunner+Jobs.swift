import Contract
import Inventory
import MQTT
import Outbox

// What jobs send, and how they end.

extension CommandRunner {
    /// Sends the job's next message. False when the connection is over.
    func advance(_ index: Int, _ port: SessionPort, reader: OutboxReader) throws -> Bool {
        let limit = min(ReplayJob.bytesAMessage, port.maxPacketBytes - 1_024)
        switch jobs[index].work {
        case .replay(var job):
            guard !job.isFinished else {
                allWentOut(index)
                return true
            }
            let message = try job.message(limitBytes: limit, reader: reader)
            jobs[index].work = .replay(job)
            guard let message else {
                fail(jobs.remove(at: index), "its events were pruned meanwhile", code: .rangePruned)
                return true
            }
            return send(message, of: index, port)
        case .snapshot(var job):
            let step = try job.step(limitBytes: limit, reader: reader, encoder: &encoder, now: wallClock())
            let isOfThisEpoch = job.epoch == outbox.progress.epoch
            jobs[index].work = .snapshot(job)
            guard isOfThisEpoch else {
                fail(jobs.remove(at: index), "another epoch began", code: .unknownEpoch)
                return true
            }
            switch step {
            case .nothingYet:
                isScanning = true
                return true
            case .finished:
                allWentOut(index)
                return true
            case .message(let message): return send(message, of: index, port)
            case .chunk(let chunk): return send(try description(of: chunk, job, jobs[index]), of: index, port)
            }
        }
    }

    private func send(_ message: Message, of index: Int, _ port: SessionPort) -> Bool {
        switch replies.send(message, job: jobs[index].id, confirms: jobs[index].place, port) {
        case .sent: return true
        case .lost: return false
        case .tooLarge:
            fail(jobs.remove(at: index), "an event is larger than the broker takes", code: .tooLarge)
            return true
        }
    }

    private func description(of chunk: SnapshotChunk, _ job: SnapshotJob, _ owner: RepairJob) throws -> Message {
        var reply = CommandReply(
            id: owner.commandID ?? job.snapshot, verb: CommandVerb.resync.rawValue, status: .progress,
            at: wallClock().description, epoch: job.epoch.text)
        reply.snapshot = job.snapshot
        reply.chunk = chunk
        return message(try wireBytes(reply), to: owner.address ?? ReplyAddress(topic: job.topic, correlation: []))
    }

    private func allWentOut(_ index: Int) {
        jobs[index].isSent = true
        finishWhenAcked(index)
    }

    /// The last message may still be refused, or lost with the connection: a job is done when the broker has all of it.
    func finishWhenAcked(_ index: Int) {
        if jobs[index].isSent, !replies.hasInFlight(jobs[index].id) { finish(jobs.remove(at: index)) }
    }

    /// The broker has all of it.
    private func finish(_ job: RepairJob) {
        report.figures.repaired(job.verb, in: now() - job.begunAt)
        switch job.origin {
        case .command(let command):
            let reply = reply(command, .done) { job.tell(&$0) }
            end(command, reply, outcome: "done: \(job.words)")
        case .technician(let order, let actor, let subject):
            let sent = job.sent
            // Before anybody is told: who sees the end finds it audited.
            record(
                AuditEntry(
                    at: wallClock(), actor: actor, action: job.verb.rawValue, subject: subject,
                    outcome: "done: \(job.words)"))
            board.change(order) { state in
                state.status = .done
                state.sent = sent
            }
        }
    }

    func fail(_ job: RepairJob, _ words: String, code: RejectionCode = .busy) {
        switch job.origin {
        case .command(let command):
            let reply = reply(command, .rejected) {
                $0.code = code
                $0.message = words
                if code == .rangePruned, case .replay(let replay) = job.work { $0.oldest = replay.next }
            }
            end(command, reply, outcome: "ended: \(words)")
        case .technician(let order, let actor, let subject):
            record(
                AuditEntry(
                    at: wallClock(), actor: actor, action: job.verb.rawValue, subject: subject,
                    outcome: "failed after \(job.words): \(words)"))
            board.change(order) { $0.fail(words) }
        }
    }

    private func end(_ command: Command, _ reply: CommandReply, outcome: String) {
        do {
            let bytes = try wireBytes(reply)
            let entry = AuditEntry(
                at: wallClock(), actor: "requester \(command.requester)", action: command.verb.rawValue,
                subject: command.subject, outcome: outcome)
            try outbox.end(command.id, of: command.requester, reply: bytes, audit: entry)
            _ = replies.add(message(bytes, to: command.address))
        } catch { report.trouble("cannot end a command: \(error)") }
    }
}

extension RepairJob {
    func isOf(_ other: Command) -> Bool {
        guard case .command(let command) = origin else { return false }
        return command.id == other.id && command.requester == other.requester
    }

    var address: ReplyAddress? { if case .command(let command) = origin { command.address } else { nil } }
    var commandID: String? { if case .command(let command) = origin { command.id } else { nil } }

    var verb: CommandVerb {
        switch work {
        case .replay: .replay
        case .snapshot: .resync
        }
    }

    var words: String {
        switch work {
        case .replay(let job): "\(job.sent) events"
        case .snapshot(let job): "\(job.keys) keys"
        }
    }

    func tell(_ reply: inout CommandReply) {
        switch work {
        case .replay(let job):
            reply.lane = job.lane.name
            reply.of = job.epoch.text
            reply.sent = job.sent
            reply.last = job.next - 1
            reply.next = job.rest
        case .snapshot(let job):
            reply.snapshot = job.snapshot
            reply.sent = job.keys
            reply.resume = job.rest
        }
    }
}

extension RepairState {
    mutating func fail(_ words: String) {
        status = .failed
        reason = words
    }
}

extension Command {
    /// What of, for the audit log.
    var subject: String {
        switch ask {
        case .ping: ""
        case .digest(let node): "node \(node)"
        case .receipt(let claim): "\(claim.lane.name) \(claim.sequence) of \(claim.epoch.text)"
        case .replay(let ask):
            "\(ask.lane.name) \(ask.sequences.lowerBound)-\(ask.sequences.upperBound) of \(ask.epoch.text)"
                + (ask.goesToLane ? " to the lane" : "")
        case .resync(let ask): ask.scope.words + (ask.resume == nil ? "" : ", going on")
        }
    }
}
