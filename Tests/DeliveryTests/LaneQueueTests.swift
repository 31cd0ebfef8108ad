import Delivery
import Inventory
import Testing

struct LaneQueueTests {
    @Test func `the watermark rises only past contiguous acks`() {
        var queue = LaneQueue(lane: .critical, watermark: 0)
        for sequence in 1...3 { queue.sent(Run(Int64(sequence), Int64(sequence))) }
        let early = [queue.acked(Run(2, 2)), queue.acked(Run(3, 3))]
        #expect(early == [false, false])
        #expect(queue.watermark == 0)
        let didRise = queue.acked(Run(1, 1))
        #expect(didRise)
        #expect(queue.watermark == 3)
    }

    @Test func `a lost connection sends everything after the watermark again, in order`() {
        var queue = LaneQueue(lane: .critical, watermark: 4)
        queue.sent(Run(5, 9))
        queue.sent(Run(10, 10))
        _ = queue.acked(Run(10, 10))
        queue.lost()
        #expect(queue.next == 5)
        #expect(queue.messagesInFlight == 0)
    }

    @Test func `a refused message stops its lane until what is in flight is answered, then begins again at it`() {
        var queue = LaneQueue(lane: .bulk, watermark: 0)
        for sequence in 1...3 { queue.sent(Run(Int64(sequence), Int64(sequence))) }
        _ = queue.acked(Run(1, 1))
        queue.refused(Run(2, 2), resumeAt: nil, alone: false)
        #expect(!queue.maySend(now: 0))
        _ = queue.acked(Run(3, 3))
        #expect(queue.maySend(now: 0))
        #expect(queue.watermark == 1)
        #expect(queue.next == 2)
    }

    @Test func `an ack of another message does not lift the pause of a refused one`() {
        var queue = LaneQueue(lane: .bulk, watermark: 0)
        queue.sent(Run(1, 1))
        queue.sent(Run(2, 2))
        queue.refused(Run(1, 1), resumeAt: 1_000, alone: false)
        _ = queue.acked(Run(2, 2))
        #expect(!queue.maySend(now: 999))
        #expect(queue.maySend(now: 1_000))
        #expect(queue.isProbing(now: 1_000))
    }

    @Test func `no lane starves and weights decide the shares`() {
        var scheduler = LaneScheduler(weights: [.critical: 8, .standard: 3, .bulk: 1])
        var counts: [Lane: Int] = [:]
        for _ in 0..<1_200 { counts[scheduler.next(among: LaneSet(Lane.allCases)) ?? .bulk, default: 0] += 1 }
        #expect(counts == [.critical: 800, .standard: 300, .bulk: 100])
        let (none, only) = (scheduler.next(among: []), scheduler.next(among: LaneSet([.bulk])))
        #expect(none == nil)
        #expect(only == .bulk)
    }
}

struct ContinuityTests {
    private func mark(_ number: Int64, session: String = "s", epoch: String = "20261123T091405Z-00ff") throws
        -> BeaconMark
    {
        BeaconMark(epoch: try #require(Epoch(epoch)), number: number, session: session)
    }

    private func expect(
        _ judgement: Continuity.Judgement, _ continuity: inout Continuity, own: BeaconMark, retained: BeaconMark?
    ) throws {
        let judged = continuity.judge(own: own, retained: retained)
        #expect(judged == judgement)
    }

    @Test func `without a retained beacon, or with an own older one, continuity holds`() throws {
        var continuity = Continuity()
        try expect(.holds, &continuity, own: mark(5), retained: nil)
        try expect(.holds, &continuity, own: mark(5), retained: mark(4, session: "other"))
        try expect(.holds, &continuity, own: mark(5), retained: mark(5))
        try expect(.holds, &continuity, own: mark(0), retained: mark(99, epoch: "20251123T091405Z-00ff"))
    }

    @Test func `a beacon ahead that stands still means rolled back, one that moves means a living clone`() throws {
        var still = Continuity()
        try expect(.lookAgain, &still, own: mark(5), retained: mark(9))
        try expect(.rolledBack(above: mark(9).epoch), &still, own: mark(5), retained: mark(9))
        var moving = Continuity()
        try expect(.lookAgain, &moving, own: mark(5), retained: mark(9))
        try expect(.foreignAgent, &moving, own: mark(5), retained: mark(10))
    }

    @Test func `a wrong access list is never a reason to drop an event`() {
        let policy = ReasonPolicy(noSubscriber: .hold)
        #expect(policy.verdict(reason: 0x87, failures: 99) == .pauseAll(60_000))
        #expect(policy.verdict(reason: 0x10, failures: 0) == .pauseLane(5_000))
        #expect(policy.verdict(reason: 0x10, failures: 9) == .pauseLane(60_000))
        #expect(ReasonPolicy(noSubscriber: .accept).verdict(reason: 0x10, failures: 0) == .acked)
        #expect(policy.verdict(reason: 0x95, failures: 0) == .isolate)
    }

    @Test func `a rate is kept while a backlog drains`() {
        var pace = Pace(perSecond: 100)
        var sent = 0
        for moment in 0..<1_000 where pace.allows(now: Int64(moment)) {
            pace.took()
            sent += 1
        }
        #expect((99...101).contains(sent))
    }
}
