import Inventory
import MQTT
import Testing

@testable import Delivery

struct HeadLossesTests {
    private var losses = HeadLosses()

    private mutating func lose(_ run: Run, heard: Bool = true, _ blame: HeadLosses.Blame = .possible)
        -> HeadLosses.Verdict
    {
        losses.connected()
        if heard { losses.heardBroker() }
        return losses.lost(lane: .standard, run: run, blame: blame)
    }

    @Test mutating func `a batch that costs the connection three times goes one by one`() {
        for _ in 0..<3 { #expect(lose(Run(5, 9)) == .resend) }
        #expect(losses.aloneUpTo[.standard] == 9)
    }

    @Test mutating func `a single event that costs the connection again after three times is skipped`() {
        let verdicts = (0..<4).map { _ in lose(Run(5, 5)) }
        #expect(verdicts == [.resend, .resend, .resend, .skip])
    }

    @Test mutating func `the last try is known, and ends with an answer, be it a refusal`() {
        for _ in 0..<2 { _ = lose(Run(5, 5)) }
        #expect(losses.lastTry == nil)
        _ = lose(Run(5, 5))
        #expect(losses.lastTry == .standard)
        losses.heardRefusal()
        #expect(losses.lastTry == nil)
        for _ in 0..<3 { _ = lose(Run(5, 9)) }
        #expect(losses.lastTry == nil, "a run goes one by one first")
    }

    @Test mutating func `a link on which the broker acknowledged nothing proves nothing`() {
        for _ in 0..<20 { #expect(lose(Run(5, 5), heard: false) == .resend) }
    }

    @Test mutating func `a broker that refuses and then closes says nothing of what else was in flight`() {
        for _ in 0..<20 {
            losses.connected()
            losses.heardBroker()
            losses.heardRefusal()
            #expect(losses.lost(lane: .standard, run: Run(5, 5), blame: .possible) == .resend)
        }
    }

    @Test mutating func `an acknowledged head ends the suspicion`() {
        for _ in 0..<3 { _ = lose(Run(5, 5)) }
        losses.passed(.standard)
        #expect(lose(Run(5, 5)) == .resend)
    }

    @Test mutating func `leaving by choice, and a broker that names another reason, prove nothing`() {
        for _ in 0..<20 { #expect(lose(Run(5, 5), .none) == .resend) }
        let words = ConnectionLoss(isRefusal: false, words: "left", isOurs: true)
        #expect(HeadLosses.Blame(words) == .none)
        for reason: UInt8 in [0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x93, 0x97, 0x98, 0x9D] {
            #expect(HeadLosses.Blame(ConnectionLoss(isRefusal: false, words: "", reason: reason)) == .none)
        }
        for reason: UInt8? in [nil, 0x80, 0x81, 0x82, 0x83, 0x90] {
            #expect(HeadLosses.Blame(ConnectionLoss(isRefusal: false, words: "", reason: reason)) == .possible)
        }
        for reason: UInt8 in [0x95, 0x99] {
            #expect(HeadLosses.Blame(ConnectionLoss(isRefusal: false, words: "", reason: reason)) == .named)
        }
    }

    @Test mutating func `a reason that names the message needs no three losses`() {
        #expect(lose(Run(5, 9), .named) == .resend)
        #expect(losses.aloneUpTo[.standard] == 9)
        #expect(lose(Run(5, 5), .named) == .resend)
        #expect(lose(Run(5, 5), .named) == .skip)
    }
}
