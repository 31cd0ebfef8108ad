import Inventory
import SeededRandom
import Testing

@testable import Contract
@testable import Receiver

struct LaneFollowerTests {
    private func parked(_ sequence: Int64, bytes: Int = 8) -> LaneFollower.Parked {
        let event = ReceivedEvent(
            id: EventID(high: 0, low: UInt64(sequence)), type: "stock.received.v1",
            epoch: Scripted.epoch(1), place: (.standard, sequence), range: 0..<bytes)
        return .init(event: event, payload: [UInt8](repeating: 0, count: bytes))
    }

    @Test func `however events are shuffled, repeated, lost and asked for again, each is applied once and in order`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = Seeded(seed)
        for _ in 0..<50 {
            let count: Int64 = 1 + Int64(random.next() % 200)
            var follower = LaneFollower(last: 0)
            var applied: [Int64] = []
            func deliver(_ sequence: Int64) {
                if follower.take(sequence, now: 0, { parked(sequence) }) == .apply {
                    applied.append(sequence)
                    while let next = follower.next() { applied.append(next.event.place?.sequence ?? 0) }
                }
            }
            var waiting = (1...count).flatMap { Array(repeating: $0, count: Int(random.next() % 3)) }
            waiting.shuffle(using: &random)
            for sequence in waiting { deliver(sequence) }
            follower.expect(upTo: count, now: 0)
            var asked = 0
            while let missing = follower.missing {
                asked += 1
                // An answer may be lost in part, too.
                for sequence in missing where random.next() % 4 > 0 { deliver(sequence) }
                if asked > 10_000 { break }
            }
            #expect(applied == Array(1...count), "seed \(seed)")
            #expect(follower.parkedCount == 0 && follower.missingSince == nil, "seed \(seed)")
        }
    }

    @Test func `what is not to be had any more is given up once, and what was parked behind it follows`() {
        var follower = LaneFollower(last: 0)
        #expect(follower.take(10, now: 5) { parked(10) } == .parked)
        #expect(follower.missing == 1...9 && follower.missingSince == 5)
        #expect(follower.giveUp(before: 10) == 1...9)
        #expect(follower.next()?.event.place?.sequence == 10)
        #expect(follower.last == 10 && follower.missing == nil && follower.missingSince == nil)
        #expect(follower.giveUp(before: 5) == nil)
    }

    @Test func `too much that is parked is forgotten and asked for again`() {
        var follower = LaneFollower(last: 0)
        for sequence in 2...Int64(LaneFollower.mostParked + 1) {
            #expect(follower.take(sequence, now: 0) { parked(sequence) } == .parked)
        }
        let next = Int64(LaneFollower.mostParked + 2)
        #expect(follower.take(next, now: 0) { parked(next) } == .overflow)
        #expect(follower.parkedCount == 0 && follower.missing == 1...next)
        var small = LaneFollower(last: 0)
        #expect(small.take(2, now: 0) { parked(2, bytes: LaneFollower.mostParkedBytes) } == .parked)
        #expect(small.take(3, now: 0) { parked(3) } == .overflow)
    }

    @Test func `an expected end that never comes is dropped`() {
        var follower = LaneFollower(last: 4)
        follower.expect(upTo: 9, now: 1)
        #expect(follower.missing == 5...9)
        follower.expectNoMore()
        #expect(follower.missing == nil && follower.missingSince == nil)
    }
}
