import Inventory
import Outbox
import Testing

struct ClockGuardTests {
    private let temporary: TemporaryOutbox
    private let year = 365 * day

    init() throws { temporary = try TemporaryOutbox() }

    /// What the guard says at each pair of wall and monotonic times.
    private func answers(_ times: [(Int64, Int64)]) -> [Bool] {
        var guarded = ClockGuard()
        return times.map { guarded.trusts(wall: $0, monotonic: $1) }
    }

    @Test func `a step of the wall clock is waited out for a day of the monotonic one`() {
        let patience = ClockGuard.patience
        let times = [
            (1_000, 0), (1_000 + ClockGuard.stepLimit, 0), (year, 1_000), (year + patience, patience),
            (year + patience, 1_000 + patience),
        ]
        #expect(answers(times) == [true, true, false, false, true])
    }

    @Test func `a clock that comes back is waited out as well`() {
        let patience = ClockGuard.patience
        let times = [(0, 0), (year, 1_000), (2_000, 2_000), (patience, patience), (patience + 2_000, patience + 2_000)]
        #expect(answers(times) == [true, false, false, false, true])
    }

    @Test func `the step is told while it is waited out`() {
        var guarded = ClockGuard()
        let steps = [(0, 0), (year, 0), (year, ClockGuard.patience)].map { wall, monotonic in
            _ = guarded.trusts(wall: wall, monotonic: monotonic)
            return guarded.step
        }
        #expect(steps == [0, year, -ClockGuard.patience])
    }

    @Test func `a year forward and back prunes nothing by age`() throws {
        let outbox = try temporary.open()
        try temporary.fill(outbox, 3)
        try outbox.acknowledge([.standard: 3])
        #expect(try outbox.prune(now: temporary.now, monotonic: 0) == 0)
        #expect(try outbox.prune(now: temporary.later(year), monotonic: 1_000) == 0)
        #expect(outbox.clockStep > 364 * day)
        #expect(try outbox.prune(now: temporary.later(2_000), monotonic: 2_000) == 0)
        #expect(try outbox.prune(now: temporary.later(2 * day), monotonic: 2 * day) == 0)
        #expect(outbox.clockStep == 0)
        #expect(try temporary.payloads(outbox).count == 3)
    }

    @Test func `a clock that stays a year ahead is believed after a day`() throws {
        let outbox = try temporary.open()
        try temporary.fill(outbox, 3)
        try outbox.acknowledge([.standard: 3])
        #expect(try outbox.prune(now: temporary.now, monotonic: 0) == 0)
        #expect(try outbox.prune(now: temporary.later(year), monotonic: 1_000) == 0)
        #expect(try outbox.prune(now: temporary.later(year + day), monotonic: 1_000 + day) > 0)
        #expect(try temporary.payloads(outbox).isEmpty)
    }

    @Test func `size counts while the clock is not believed`() throws {
        let outbox = try temporary.open { $0.keepBytes = 0 }
        _ = try outbox.prune(now: temporary.now, monotonic: 0)
        try temporary.fill(outbox, 3)
        try outbox.acknowledge([.standard: 3])
        #expect(try outbox.prune(now: temporary.later(year), monotonic: 1_000) >= 3)
        #expect(try temporary.payloads(outbox).isEmpty)
    }

    @Test func `seen identities outlive a year forward and back`() throws {
        let outbox = try temporary.open()
        try temporary.fill(outbox, 3)
        for (wall, monotonic) in [(Int64(0), Int64(0)), (year, 1_000), (2_000, 2_000), (2 * day, 2 * day)] {
            _ = try outbox.prune(now: temporary.later(wall), monotonic: monotonic)
        }
        let again = try temporary.fill(outbox, 4, at: temporary.later(2 * day))
        #expect(again.suppressed == 3)
        #expect(again.events == 1)
        #expect(again.rejects == 0)
    }

    @Test func `what is captured while the clock stands a year ahead is suppressed after it came back`() throws {
        let outbox = try temporary.open()
        _ = try outbox.prune(now: temporary.now, monotonic: 0)
        try temporary.fill(outbox, 3, at: temporary.later(year))
        _ = try outbox.prune(now: temporary.later(year), monotonic: 1_000)
        _ = try outbox.prune(now: temporary.later(2 * day), monotonic: 2 * day)
        #expect(try temporary.fill(outbox, 3, at: temporary.later(2 * day)).suppressed == 3)
    }

    @Test func `without a step identities are forgotten by age and what is older is rejected`() throws {
        let outbox = try temporary.open { $0.seenDays = 45 }
        try temporary.fill(outbox, 3)
        while try outbox.prune(now: temporary.later(47 * day), monotonic: 0) > 0 {}
        #expect(try temporary.fill(outbox, 3, at: temporary.later(47 * day)).rejects == 3)
    }
}
