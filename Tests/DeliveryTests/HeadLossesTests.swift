import Inventory
import Testing

@testable import Delivery

struct HeadLossesTests {
    private var losses = HeadLosses()

    private mutating func lose(_ run: Run, heard: Bool = true, named: Bool = false) -> HeadLosses.Verdict {
        losses.connected()
        if heard { losses.heardBroker() }
        return losses.lost(lane: .standard, run: run, isNamed: named)
    }

    @Test mutating func `a batch that costs the connection three times goes one by one`() {
        for _ in 0..<3 { #expect(lose(Run(5, 9)) == .resend) }
        #expect(losses.aloneUpTo[.standard] == 9)
    }

    @Test mutating func `a single event that costs the connection again after three times is skipped`() {
        let verdicts = (0..<4).map { _ in lose(Run(5, 5)) }
        #expect(verdicts == [.resend, .resend, .resend, .skip])
    }

    @Test mutating func `a link on which the broker acknowledged nothing proves nothing`() {
        for _ in 0..<20 { #expect(lose(Run(5, 5), heard: false) == .resend) }
    }

    @Test mutating func `an acknowledged head ends the suspicion`() {
        for _ in 0..<3 { _ = lose(Run(5, 5)) }
        losses.passed(.standard)
        #expect(lose(Run(5, 5)) == .resend)
    }

    @Test mutating func `a reason that names the message needs no three losses`() {
        #expect(lose(Run(5, 9), named: true) == .resend)
        #expect(losses.aloneUpTo[.standard] == 9)
        #expect(lose(Run(5, 5), named: true) == .resend)
        #expect(lose(Run(5, 5), named: true) == .skip)
    }
}
