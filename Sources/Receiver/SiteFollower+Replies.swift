import Contract
import Inventory

// What an agent answered.

extension SiteFollower {
    func take(_ reply: CommandReply, bytes: Int) throws {
        if reply.verb == CommandVerb.resync.rawValue, reply.status == .progress {
            return try takeChunk(reply)
        }
        guard let kind = requests.kind(of: reply.id) else { return }
        switch reply.status {
        case .accepted, .progress: requests.moved(kind, now: context.now)
        case .rejected: try rejected(reply, kind)
        case .done: try done(reply, kind, bytes: bytes)
        }
    }

    private func done(_ reply: CommandReply, _ kind: Requests.Kind, bytes: Int) throws {
        switch kind {
        case .replay(let epoch, let lane): try replayed(reply, epoch, lane)
        case .resync:
            requests.ended(kind)
            if let place = reply.resume { snapshot?.moveOn(to: place) }
        case .digest:
            requests.ended(kind)
            try take(digest: reply, bytes: bytes)
        case .receipt(let lane):
            requests.ended(kind)
            if let state = present, reply.of == state.epoch.text, let sequence = reply.sequence {
                present?.lanes[lane].receipted = max(state.lanes[lane].receipted, sequence)
                present?.lanes[lane].isDirty = true
            }
        }
    }

    /// A replay ended: with nothing more to be had, what was only expected does not come.
    private func replayed(_ reply: CommandReply, _ epoch: Epoch, _ lane: Lane) throws {
        let kind = Requests.Kind.replay(epoch: epoch, lane)
        if (reply.sent ?? 0) == 0, reply.next == nil { try expectNoMore(epoch, lane) }
        let follower = state(of: epoch)?.lanes[lane].follower
        // What was sent may have been lost again, or be nothing that can be read: not at once again.
        let isUseless = follower.map { $0.missing != nil && $0.last == lastWhenAsked[kind] } ?? false
        if isUseless { requests.failed(kind, wait: 1_000, now: context.now) } else { requests.ended(kind) }
    }

    private func state(of epoch: Epoch) -> EpochState? {
        present?.epoch == epoch ? present : ended.first { $0.epoch == epoch }
    }

    private func expectNoMore(_ epoch: Epoch, _ lane: Lane) throws {
        if present?.epoch == epoch {
            present?.lanes[lane].follower.expectNoMore()
        } else if let index = ended.firstIndex(where: { $0.epoch == epoch }) {
            try close(lane, of: index, "the agent has no more of this epoch")
        }
    }

    private func rejected(_ reply: CommandReply, _ kind: Requests.Kind) throws {
        let code = reply.code ?? .malformed
        switch (code, kind) {
        case (.rangePruned, .replay(let epoch, let lane)):
            requests.ended(kind)
            try giveUp(epoch, lane, before: reply.oldest ?? 1, "the agent does not keep them any more")
        case (.unknownEpoch, .replay(let epoch, let lane)):
            requests.failed(kind, wait: 1_000, now: context.now)
            try loseRest(of: epoch, lane)
        case (.unknownEpoch, .resync):
            requests.ended(kind)
            try dropSnapshot(askAgain: true)
        case (.stale, _):
            if let at = Timestamp(rfc3339: reply.at) {
                requests.clockOffset = at.milliseconds - context.wall.milliseconds
            }
            requests.failed(kind, wait: 200, now: context.now)
        case (.fork, _): requests.ended(kind)
        case (.denied, _), (.malformed, _), (.tooLarge, _):
            context.notice(
                "\(identity.site) refuses \(reply.verb) (\(code.rawValue)): \(reply.message ?? "no reason given")")
            try context.store.begin()
            try context.log("refused", self, nil, "\(reply.verb) \(code.rawValue): \(reply.message ?? "")")
            requests.failed(kind, wait: 60_000, now: context.now)
            if case .digest = kind { descent = nil }
        default: requests.failed(kind, wait: 1_000, now: context.now)
        }
    }

    /// The agent does not know the epoch: what was known to be missing is lost, and what may have been behind it too.
    private func loseRest(of epoch: Epoch, _ lane: Lane) throws {
        guard let index = ended.firstIndex(where: { $0.epoch == epoch }) else { return }
        try context.store.begin()
        let last = ended[index].lanes[lane].follower.last
        try context.log(
            "lost", self, lane: lane, epoch: epoch, last + 1...last + 1,
            "the agent does not know this epoch any more; whatever came after \(last) is lost")
        try close(lane, of: index, "the agent does not know this epoch any more")
    }
}
