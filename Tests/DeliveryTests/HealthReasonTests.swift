import Inventory
import Synchronization
import Testing

@testable import Delivery

struct HealthReasonTests {
    private final class Clock: Sendable {
        let at = Atomic<Int64>(1_000)
        var now: Timestamp { Timestamp(milliseconds: at.load(ordering: .relaxed)) }
        func move(to moment: Int64) { at.store(moment, ordering: .relaxed) }
    }

    @Test func `a reason begins with its first words, and again only after it was over`() {
        let clock = Clock()
        let report = DeliveryReport(now: { clock.now }) { _ in }
        report.trouble("broker: connection refused")
        clock.move(to: 2_000)
        report.trouble("broker: timed out")
        #expect(report.reasons.map(\.words) == ["broker: timed out"])
        #expect(report.reasons.first?.since == Timestamp(milliseconds: 1_000))
        clock.move(to: 3_000)
        report.connected()
        #expect(report.reasons.isEmpty && report.connection.since == Timestamp(milliseconds: 3_000))
        clock.move(to: 4_000)
        report.lost("went away")
        #expect(report.reasons.first?.since == Timestamp(milliseconds: 4_000))
    }

    @Test func `the gravest reason comes first, and each source has its own`() {
        let report = DeliveryReport(now: { Timestamp(milliseconds: 1) }) { _ in }
        report.source("b", status: "waiting")
        report.source("a", status: "held")
        report.paused("no room")
        report.damaged("page 7")
        #expect(report.reasons.map(\.kind) == [.damage, .paused, .source, .source])
        #expect(report.reasons.map(\.subject) == ["", "", "a", "b"])
        report.source("a", status: "ok")
        report.forget(source: "b")
        report.paused(nil)
        #expect(report.healthReasons == ["page 7"])
    }

    @Test func `a trouble is told to the log once while its words stay the same`() {
        let told = Mutex<[String]>([])
        let report = DeliveryReport(now: { Timestamp(milliseconds: 1) }) { words in told.withLock { $0.append(words) } }
        report.late([.bulk: "lane bulk waits"])
        report.late([.bulk: "lane bulk waits"])
        report.late([:])
        report.refused("quota")
        report.refused("quota")
        #expect(told.withLock { $0 } == ["lane bulk waits", "quota"])
    }
}
