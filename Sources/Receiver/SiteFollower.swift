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

    var store: ReceiverStore { context.store }
    /// A broker may deliver out of order: what is parked waits so long before it is asked for.
    static let reorderPatience: Int64 = 200
    static let mostScopes = 100

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

    func isLacking(_ state: EpochState) -> Bool {
        Lane.allCases.contains { lane in
            let line = state.lanes[lane]
            return line.follower.missing != nil || line.end == .unknown || line.end == .open
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
