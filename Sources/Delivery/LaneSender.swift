import Contract
import Inventory
import MQTT
import Outbox

/// Takes events from the outbox into the window, lane by lane, and learns what became of them (`LaneSender+Answers`). On
/// the session's thread.
final class LaneSender {
    let outbox: Outbox
    let settings: DeliverySettings
    let report: DeliveryReport
    let watermarks: Watermarks
    let policy: ReasonPolicy
    let now: @Sendable () -> Int64
    let wallClock: @Sendable () -> Timestamp
    private let topics: Topics

    /// The epoch whose events this connection sends.
    private(set) var epoch: Epoch?
    var feeds: [LaneFeed] = []
    var headLosses = HeadLosses()
    /// No lane sends before this monotonic millisecond.
    var pausedUntil: Int64 = 0
    var moments = ByLane { _ in SentMoments() }
    /// Since when what was sent of a lane failed, in monotonic milliseconds; until its next ack.
    var failedSince = ByLane<Int64?> { _ in nil }
    private var messages: [EventMessages] = []
    private var heads: [Int64] = Lane.allCases.map { _ in 0 }
    private var scheduler: LaneScheduler
    private var pace: Pace
    private var reader: OutboxReader?

    /// A lane's backlog in events from which on it is catching up, and paced.
    private static let catchingUp: Int64 = 1_000
    private static let lookAgainAfter: Int64 = 1_000
    /// Before a last try: what the connection began with has been read by then.
    private static let quiet: Int64 = 2_000

    init(
        outbox: Outbox, settings: DeliverySettings, report: DeliveryReport, watermarks: Watermarks, topics: Topics,
        now: @escaping @Sendable () -> Int64, wallClock: @escaping @Sendable () -> Timestamp
    ) {
        self.outbox = outbox
        self.settings = settings
        self.report = report
        self.watermarks = watermarks
        self.topics = topics
        self.now = now
        self.wallClock = wallClock
        policy = ReasonPolicy(noSubscriber: settings.noSubscriber)
        scheduler = LaneScheduler(weights: settings.weights)
        pace = Pace(perSecond: settings.catchUpRate)
    }

    /// The highest sequence of each lane up to which all are acked.
    var acked: [Int64] { feeds.map(\.queue.watermark) }

    /// A connection begins: nothing is in flight, and all after the stored watermarks is to be sent.
    func begin() {
        let progress = outbox.progress
        if epoch != progress.epoch {
            epoch = progress.epoch
            headLosses = HeadLosses()
            messages = Lane.allCases.map {
                EventMessages(topic: topics.events($0), lane: $0, epoch: progress.epoch)
            }
        }
        feeds = Lane.allCases.map { lane in
            var feed = LaneFeed(lane: lane, epoch: progress.epoch, watermark: progress.lanes[lane].acked)
            feed.queue.sendAlone(upTo: headLosses.aloneUpTo[lane] ?? 0)
            return feed
        }
        headLosses.connected()
        if headLosses.lastTry != nil { pausedUntil = max(pausedUntil, now() + Self.quiet) }
        watermarks.begin(progress.epoch)
    }

    /// Sends what there is while there is room. False when another epoch began: this connection cannot go on.
    func refill(_ port: SessionPort) -> Bool {
        let moment = now()
        guard moment >= pausedUntil else { return true }
        let progress = outbox.progress
        guard progress.epoch == epoch else { return false }
        for lane in Lane.allCases { heads[Int(lane.rawValue)] = progress.lanes[lane].head }
        do {
            let reader = try openReader()
            while port.hasRoom, try sendOne(port, reader: reader, at: moment) {}
        } catch {
            reader = nil
            report.trouble("cannot read the outbox: \(error)")
        }
        return true
    }

    private func openReader() throws -> OutboxReader {
        if let reader { return reader }
        let opened = try outbox.reader()
        reader = opened
        return opened
    }

    private func sendOne(_ port: SessionPort, reader: OutboxReader, at moment: Int64) throws -> Bool {
        guard let lane = scheduler.next(among: readyLanes(at: moment)) else { return false }
        let index = Int(lane.rawValue)
        let isAlone = travelsAlone(index, at: moment)
        let run: ArraySlice<StoredEvent>
        do {
            run = try feeds[index].nextRun(
                events: isAlone ? 1 : settings.batches.events,
                bytes: min(settings.batches.bytes, port.maxPacketBytes - 512), reader: reader)
        } catch let missing as MissingEvent {
            // The other lanes go on.
            feeds[index].queue.pause(until: moment + Self.lookAgainAfter)
            report.trouble("\(missing)")
            return true
        }
        if isCatchingUp(index) { pace.took() }
        return try send(run, lane: lane, port: port, at: moment)
    }

    private func readyLanes(at moment: Int64) -> LaneSet {
        var ready = LaneSet()
        let lastTry = headLosses.lastTry
        if lastTry != nil, feeds.contains(where: { $0.queue.messagesInFlight > 0 }) { return ready }
        for index in feeds.indices where feeds[index].queue.next <= heads[index] {
            guard feeds[index].queue.maySend(now: moment), lastTry == nil || lastTry == feeds[index].queue.lane
            else { continue }
            if feeds[index].queue.isProbing(now: moment), feeds[index].queue.messagesInFlight > 0 { continue }
            if isCatchingUp(index), !pace.allows(now: moment) { continue }
            ready.insert(feeds[index].queue.lane)
        }
        return ready
    }

    private func isCatchingUp(_ index: Int) -> Bool {
        heads[index] - feeds[index].queue.watermark > Self.catchingUp
    }

    private func travelsAlone(_ index: Int, at moment: Int64) -> Bool {
        guard let above = settings.batches.above else { return true }
        let next = feeds[index].queue.next
        return heads[index] - feeds[index].queue.watermark <= above || next <= feeds[index].queue.singlesUpTo
            || feeds[index].queue.isProbing(now: moment)
    }

    private func send(
        _ events: ArraySlice<StoredEvent>, lane: Lane, port: SessionPort, at moment: Int64
    ) throws -> Bool {
        guard let first = events.first, let last = events.last else { return false }
        let run = Run(first.sequence, last.sequence)
        let index = Int(lane.rawValue)
        switch messages[index].publish(events, to: port, token: Self.token(lane, run), at: moment) {
        case .sent:
            feeds[index].sent(run)
            moments[lane].sent(events)
            return true
        case .tooLarge:
            try isolate(lane, run: run)
            return true
        case .lost:
            return false
        }
    }

    // MARK: tokens

    /// Two bits of lane, 16 of count, 44 of first sequence: what an answer needs, without a table.
    static func token(_ lane: Lane, _ run: Run) -> UInt64 {
        precondition(run.count < 1 << 16 && run.first < 1 << 44)
        return UInt64(lane.rawValue) << 60 | UInt64(run.count) << 44 | UInt64(run.first)
    }

    /// Nil for what is no event's token.
    static func run(of token: UInt64) -> (lane: Lane, run: Run)? {
        let first = Int64(token & (1 << 44 - 1))
        let count = Int64(token >> 44 & 0xFFFF)
        guard token >> 62 == 0, first > 0, count > 0, let lane = Lane(rawValue: UInt8(token >> 60)) else { return nil }
        return (lane, Run(first, first + count - 1))
    }
}
