import Contract
import Inventory

// What is asked of the agent, and when.

extension SiteFollower {
    func ask(_ scope: SnapshotScope, why: String) {
        if scope.isAll { scopes.removeAll() }
        guard !scopes.contains(where: { $0.scope.isAll || $0.scope == scope }) else { return }
        guard scopes.count < Self.mostScopes else {
            return scopes = [Wanted(sku: "", location: "", leaf: nil, why: "too many parts are to be resynced")]
        }
        scopes.append(Wanted(sku: scope.sku, location: scope.location, leaf: scope.leaf, why: why))
    }

    func sendReceipt(_ lane: Lane, _ sequence: Int64, _ id: EventID, _ epoch: Epoch) {
        guard requests.mayAsk(.receipt(lane), now: context.now) else { return }
        let asked = context.ask(.receipt, topics, clockOffset: requests.clockOffset) { request in
            request.lane = lane.name
            request.epoch = epoch.text
            request.sequence = sequence
            request.event = id.description
        }
        requests.asked(.receipt(lane), id: asked.id, now: context.now)
    }

    /// Sends what is due: replays for gaps, a snapshot, the next node of a descent, receipts.
    func tick() throws {
        for kind in requests.overdue(now: context.now) where kind == .digest { descent = nil }
        try dropStalledSnapshot()
        for state in ended { askForMissing(state) }
        if let present { askForMissing(present) }
        try askForSnapshot()
        try descend()
        sendReceipts()
    }

    private func askForMissing(_ state: EpochState) {
        for lane in Lane.allCases {
            let follower = state.lanes[lane].follower
            guard let missing = follower.missing, let since = follower.missingSince,
                context.now - since >= Self.reorderPatience,
                requests.mayAsk(.replay(epoch: state.epoch, lane), now: context.now)
            else { continue }
            let asked = context.ask(.replay, topics, clockOffset: requests.clockOffset) { request in
                request.lane = lane.name
                request.epoch = state.epoch.text
                request.from = missing.lowerBound
                request.to = missing.upperBound
            }
            let kind = Requests.Kind.replay(epoch: state.epoch, lane)
            requests.asked(kind, id: asked.id, now: context.now)
            lastWhenAsked[kind] = follower.last
        }
    }

    private func sendReceipts() {
        guard var state = present else { return }
        for lane in Lane.allCases {
            let line = state.lanes[lane]
            let new = line.follower.last - line.receipted
            let isDue =
                new >= context.options.receiptsEvery
                || new > 0 && context.now - line.receiptAt >= context.options.receiptsMax
            guard isDue, !line.isDirty, let id = line.lastID, requests.mayAsk(.receipt(lane), now: context.now) else {
                continue
            }
            sendReceipt(lane, line.follower.last, id, state.epoch)
            state.lanes[lane].receiptAt = context.now
        }
        present = state
    }
}
