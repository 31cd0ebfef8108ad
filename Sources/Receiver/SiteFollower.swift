import Contract
import Inventory

// Follows one site: its lanes in its present epoch, what is still lacking of epochs before, its stock. What it decides is in
// values (`LaneFollower`, `Requests`, `SnapshotTaker`, `Descent`); here they meet the file, in the store's open transaction.

final class SiteFollower {
    /// Where a lane of an ended epoch ends.
    enum End {
        /// No birth certificate said it yet.
        case unknown
        /// `goal` is the last head.
        case known
        /// The agent does not name this epoch: what comes next is asked for until there is no more.
        case open
        case closed
    }

    /// One lane of one epoch.
    struct LaneState {
        var follower: LaneFollower
        var receipted: Int64
        /// The event at `last`.
        var lastID: EventID?
        var isDirty = false
        /// When the lane last moved, and when it was receipted.
        var movedAt: Int64 = 0
        var receiptAt: Int64 = 0
        var suspected: Set<Int64> = []
        /// Of an ended epoch's lane.
        var end = End.unknown
        /// Since when a gap is open, for the log.
        var gapAt: Int64?
    }

    /// A part of the stock that is to be resynced.
    struct Wanted: Codable, Equatable {
        var sku: String
        var location: String
        var leaf: UInt16?
        var why: String

        var scope: SnapshotScope { SnapshotScope(sku: sku, location: location, leaf: leaf) }
    }

    struct EpochState {
        let epoch: Epoch
        let number: Int64
        var lanes: ByLane<LaneState>
    }

    let identity: SiteIdentity
    let topics: Topics
    let context: ReceiverContext
    var row: ReceiverStore.SiteRow
    var present: EpochState?
    /// Epochs that ended before all of them had come.
    var ended: [EpochState] = []
    var hasSeen = false
    let book: StockBook
    var counts = SiteCounts()
    var requests = Requests()
    var snapshot: SnapshotTaker?
    var scopes: [Wanted] = []
    private var storedScopes: [Wanted] = []
    /// `last` when a replay was asked for: an answer that moves nothing is not asked for again at once.
    var lastWhenAsked: [Requests.Kind: Int64] = [:]
    /// A walk found more nodes apart than it follows.
    var isWidelyApart = false
    /// When the snapshot on its way went on last.
    var snapshotMovedAt: Int64 = 0
    var meta: MetaAnnouncement?
    var beacon: BeaconAnnouncement?
    /// The offsets that a beacon showed above ours, by the beacon before.
    var tailSeen = ByLane<Int64> { _ in 0 }
    var descent: Descent?
    var suspects: Set<StockKey> = []
    var lastDescent: Int64?
    var descentsEnded = 0
    /// What walks of this run found, at most 1,000 keys.
    var drift: [StockKey] = []
    var lastSession = ""
    /// The site was met just now: what it keeps is asked for without waiting for a second beacon.
    var isNewHere = false

    private var store: ReceiverStore { context.store }
    /// A broker may deliver out of order: what is parked waits so long before it is asked for.
    private static let reorderPatience: Int64 = 200
    private static let mostScopes = 100
    private static let gathered: Int64 = 1_000

    init(_ row: ReceiverStore.SiteRow, context: ReceiverContext) throws {
        identity = row.identity
        topics = Topics(site: row.identity)
        self.context = context
        self.row = row
        book = try StockBook(site: row.id, context.store.connection)
        hasSeen = try context.store.hasSeen(row.id)
        let epochs = try context.store.epochs(of: row.id)
        for (number, epoch) in epochs {
            let isPresent = number == epochs.last?.number
            // A settled epoch has no offsets any more.
            guard try isPresent || !context.store.lanes(of: number).isEmpty else { continue }
            let state = EpochState(epoch: epoch, number: number, lanes: try lanes(of: number))
            if isPresent { present = state } else { ended.append(state) }
        }
        scopes = row.scopes.flatMap { readWire([Wanted].self, from: Array($0.utf8)) } ?? []
        storedScopes = scopes
        if let text = row.snapshot, let stored = readWire(SnapshotTaker.Stored.self, from: Array(text.utf8)) {
            if stored.isOwn, stored.epoch == present?.epoch.text {
                snapshot = SnapshotTaker(stored, isResumed: stored.place != nil)
            }
        }
    }

    private func lanes(of number: Int64) throws -> ByLane<LaneState> {
        let rows = try store.lanes(of: number)
        return try ByLane { lane in
            let row = rows.first { $0.lane == lane }
            let follower = LaneFollower(last: row?.last ?? 0)
            var state = LaneState(follower: follower, receipted: row?.receipted ?? 0)
            state.lastID = try store.id(epoch: number, lane: lane, sequence: follower.last)
            return state
        }
    }

    private func isLacking(_ state: EpochState) -> Bool {
        Lane.allCases.contains { lane in
            let line = state.lanes[lane]
            return line.follower.missing != nil || line.end == .unknown || line.end == .open
        }
    }

    // MARK: events

    /// An event with a place in a lane. `payload` is valid during the call only.
    func take(_ event: ReceivedEvent, _ payload: UnsafeRawBufferPointer, isReplay: Bool) throws {
        guard let (lane, sequence) = event.place else { return }
        if event.epoch > present?.epoch ?? event.epoch || present == nil { try begin(event.epoch) }
        if let place = ended.firstIndex(where: { $0.epoch == event.epoch }) {
            // A copy, since what follows looks at all ended epochs.
            var state = ended[place]
            try take(event, payload, lane, sequence, &state, isReplay: isReplay)
            ended[place] = state
            try settle(place)
        } else if var state = present, state.epoch == event.epoch {
            present = nil
            defer { present = state }
            try take(event, payload, lane, sequence, &state, isReplay: isReplay)
        } else {
            counts.redelivered += 1
        }
    }

    private func take(
        _ event: ReceivedEvent, _ payload: UnsafeRawBufferPointer, _ lane: Lane, _ sequence: Int64,
        _ state: inout EpochState, isReplay: Bool
    ) throws {
        if isReplay { requests.moved(.replay(epoch: state.epoch, lane), now: context.now) }
        let verdict = state.lanes[lane].follower.take(sequence, now: context.now) {
            .init(event: event, payload: [UInt8](payload))
        }
        switch verdict {
        case .repeated:
            counts.redelivered += 1
            try compare(event, lane, sequence, &state)
        case .parked, .overflow:
            if state.lanes[lane].gapAt == nil {
                state.lanes[lane].gapAt = context.now
                counts.gaps += 1
                let last = state.lanes[lane].follower.last
                try context.log(
                    "gap", self, lane: lane, epoch: state.epoch, last + 1...sequence - 1, "events are missing")
            }
            if verdict == .overflow { context.notice("\(identity.site): too much is parked; it is asked for again") }
        case .apply:
            if isReplay { counts.repaired += 1 }
            try apply(event, payload, lane, sequence, &state)
            while let parked = state.lanes[lane].follower.next(), let place = parked.event.place {
                try parked.payload.withUnsafeBytes { try apply(parked.event, $0, lane, place.sequence, &state) }
            }
            try noteFilled(lane, &state)
        }
    }

    private func noteFilled(_ lane: Lane, _ state: inout EpochState) throws {
        guard let since = state.lanes[lane].gapAt, state.lanes[lane].follower.missing == nil else { return }
        state.lanes[lane].gapAt = nil
        try context.log(
            "filled", self, lane: lane, epoch: state.epoch, nil,
            "all up to \(state.lanes[lane].follower.last) is there, after \(context.now - since) ms")
    }

    /// The effect of an event, in the transaction of its offset.
    private func apply(
        _ event: ReceivedEvent, _ payload: UnsafeRawBufferPointer, _ lane: Lane, _ sequence: Int64,
        _ state: inout EpochState
    ) throws {
        try store.begin()
        let mark = ReceivedEventMark(id: event.id, record: event.recordHash)
        state.lanes[lane].lastID = event.id
        state.lanes[lane].isDirty = true
        state.lanes[lane].movedAt = context.now
        for line in event.lines { try book.take(line, epoch: state.number, mark: row.mark, isSnapshot: false) }
        if event.isSkipped {
            ask(SnapshotScope(sku: event.subject), why: "a tombstone stands for \(lane.name) \(sequence)")
        }
        let isKnown = try hasSeen && store.wasSeen(mark, site: row.id)
        if isKnown { counts.known += 1 } else { try context.effect(payload, site: row.id) }
        if !ended.isEmpty, !isKnown {
            try store.noteSeen(mark, site: row.id, at: context.wall)
            hasSeen = true
        }
        try store.note(mark, epoch: state.number, lane: lane, sequence: sequence, at: context.wall)
        counts.received += isKnown ? 0 : 1
        context.uncommitted += 1
    }

    /// The same sequence has to be the same event: anything else is a fork.
    private func compare(_ event: ReceivedEvent, _ lane: Lane, _ sequence: Int64, _ state: inout EpochState) throws {
        guard state.lanes[lane].follower.last >= sequence,
            let known = try store.id(epoch: state.number, lane: lane, sequence: sequence), known != event.id,
            state.lanes[lane].suspected.count < 100, state.lanes[lane].suspected.insert(sequence).inserted
        else { return }
        try suspect(lane, sequence, known, state.epoch, "another event came for \(lane.name) \(sequence)")
    }

    func suspect(_ lane: Lane, _ sequence: Int64, _ id: EventID, _ epoch: Epoch, _ words: String) throws {
        try store.begin()
        counts.forks += 1
        try context.log("fork", self, lane: lane, epoch: epoch, sequence...sequence, words)
        sendReceipt(lane, sequence, id, epoch)
    }

    // MARK: epochs

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

    /// Before COMMIT: what only memory holds.
    func flush() throws {
        try book.flush()
        if scopes != storedScopes {
            try store.begin()
            row.scopes = scopes.isEmpty ? nil : String(decoding: try wireBytes(scopes), as: UTF8.self)
            try store.update(row)
            storedScopes = scopes
        }
        for index in ended.indices where Lane.allCases.contains(where: { ended[index].lanes[$0].isDirty }) {
            try writeLanes(of: ended[index])
            for lane in Lane.allCases { ended[index].lanes[lane].isDirty = false }
        }
        guard let state = present, Lane.allCases.contains(where: { state.lanes[$0].isDirty }) else { return }
        try writeLanes(of: state)
        for lane in Lane.allCases { present?.lanes[lane].isDirty = false }
    }

    /// Once a second.
    func pruneIDs() throws {
        guard let state = present else { return }
        for lane in Lane.allCases {
            try store.pruneIDs(
                epoch: state.number, lane: lane, last: state.lanes[lane].follower.last,
                olderThan: context.wall.milliseconds - row.retention)
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

    // MARK: losses

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
    private func giveUp(_ lane: Lane, before oldest: Int64, _ words: String, _ state: inout EpochState) throws -> Bool {
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

    // MARK: asking

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

    /// The connection was lost: what was asked may never be answered.
    func lost() {
        requests.lost()
        descent = nil
        snapshot?.resumed()
    }

    /// Within how many milliseconds something may be due.
    var nextTurn: Int64 {
        let gaps = ([present].compactMap { $0 } + ended).flatMap { state in
            Lane.allCases.compactMap { state.lanes[$0].follower.missingSince.map { $0 + Self.reorderPatience } }
        }
        let next = (gaps.filter { $0 > context.now } + [requests.nextDeadline(after: context.now)].compactMap { $0 })
            .min()
        return next.map { max(10, $0 - context.now) } ?? 250
    }
}
