import Contract
import Inventory

// A greater epoch, what an ended one still lacks, and what is lost for good.

extension SiteFollower {
    /// A greater epoch: all lanes begin again, and what the old one lacks is looked for.
    func begin(_ epoch: Epoch) throws {
        try store.begin()
        let number = try store.add(epoch, of: row.id)
        let isNew = present == nil
        isNewHere = isNew
        if var old = present {
            for lane in Lane.allCases { old.lanes[lane].follower.forgetGoal() }
            try writeLanes(of: old)
            counts.epochs += 1
            try context.log("epoch", self, epoch: epoch, nil, "a new epoch after \(old.epoch.text)")
            try store.rememberAsSeen(epoch: old.number, site: row.id)
            hasSeen = try store.hasSeen(row.id)
            ended.append(old)
        }
        present = EpochState(
            epoch: epoch, number: number,
            lanes: ByLane { _ in LaneState(follower: LaneFollower(last: 0), receipted: 0) })
        tailSeen = ByLane { _ in 0 }
        for lane in Lane.allCases { present?.lanes[lane].isDirty = true }
        snapshot = nil
        row.snapshot = nil
        try store.update(row)
        descent = nil
        scopes = []
        ask(SnapshotScope(), why: isNew ? "the site is new here" : "a new epoch")
        try learnEnds()
    }

    /// What the birth certificate says of the epoch before decides what is still to come of it.
    func learnEnds() throws {
        guard let meta, let present, meta.epoch == present.epoch.text else { return }
        for index in ended.indices {
            let state = ended[index]
            for lane in Lane.allCases where state.lanes[lane].end == .unknown {
                let head = meta.previous.flatMap { $0.epoch == state.epoch.text ? $0.heads[lane.name] : nil }
                ended[index].lanes[lane].end = head == nil ? .open : .known
                let next = state.lanes[lane].follower.last + LaneFollower.longestReplay
                ended[index].lanes[lane].follower.expect(upTo: head ?? next, now: context.now)
                ended[index].lanes[lane].isDirty = true
            }
        }
        for index in ended.indices.reversed() { try settle(index) }
    }

    /// An ended epoch of which nothing is missing any more is left behind, with a last receipt.
    func settle(_ index: Int) throws {
        for lane in Lane.allCases where ended[index].lanes[lane].end == .open {
            let follower = ended[index].lanes[lane].follower
            guard follower.missing == nil else { continue }
            ended[index].lanes[lane].follower.expect(upTo: follower.last + LaneFollower.longestReplay, now: context.now)
        }
        let state = ended[index]
        guard meta?.epoch == present?.epoch.text, !isLacking(state) else { return }
        try store.begin()
        for lane in Lane.allCases where state.lanes[lane].follower.last > 0 {
            if let id = state.lanes[lane].lastID { sendReceipt(lane, state.lanes[lane].follower.last, id, state.epoch) }
        }
        try store.rememberAsSeen(epoch: state.number, site: row.id)
        try store.settle(epoch: state.number)
        hasSeen = true
        ended.remove(at: index)
    }

    func writeLanes(of state: EpochState) throws {
        for lane in Lane.allCases {
            let line = state.lanes[lane]
            let goal = state.epoch == present?.epoch ? nil : line.follower.goal
            try store.put(
                .init(lane: lane, last: line.follower.last, goal: goal, receipted: line.receipted), epoch: state.number)
        }
    }

    /// No more than what is there is to be had of an ended epoch's lane: what waits for it takes its turn.
    func close(_ lane: Lane, of index: Int, _ words: String) throws {
        while let lowest = ended[index].lanes[lane].follower.lowestParked {
            var state = ended[index]
            try giveUp(lane, before: lowest, words, &state)
            ended[index] = state
        }
        ended[index].lanes[lane].follower.expectNoMore()
        ended[index].lanes[lane].end = .closed
        ended[index].lanes[lane].isDirty = true
        try settle(index)
    }

    /// Events before `oldest` are not to be had any more.
    func giveUp(_ epoch: Epoch, _ lane: Lane, before oldest: Int64, _ words: String) throws {
        try store.begin()
        if let index = ended.firstIndex(where: { $0.epoch == epoch }) {
            var state = ended[index]
            try giveUp(lane, before: oldest, words, &state)
            ended[index] = state
            try settle(index)
        } else if var state = present, state.epoch == epoch {
            present = nil
            defer { present = state }
            if try giveUp(lane, before: oldest, words, &state) { ask(SnapshotScope(), why: "events were lost") }
        }
    }

    @discardableResult
    func giveUp(_ lane: Lane, before oldest: Int64, _ words: String, _ state: inout EpochState) throws -> Bool {
        guard let lost = state.lanes[lane].follower.giveUp(before: oldest) else { return false }
        counts.lost += lost.upperBound - lost.lowerBound + 1
        state.lanes[lane].isDirty = true
        state.lanes[lane].lastID = nil
        try context.log("lost", self, lane: lane, epoch: state.epoch, lost, words)
        while let parked = state.lanes[lane].follower.next(), let place = parked.event.place {
            try parked.payload.withUnsafeBytes { try apply(parked.event, $0, lane, place.sequence, &state) }
        }
        try noteFilled(lane, &state)
        return true
    }
}
