import Foundation
import Inventory
import Testing

@testable import Delivery

struct WatermarksTests {
    private let watermarks = Watermarks()

    private func epoch(_ suffix: String = "00ff") throws -> Epoch { try #require(Epoch("20261123T091405Z-\(suffix)")) }

    /// How long a wait lasts, on a thread that may block.
    private func waited(_ milliseconds: Int32) async -> Duration {
        let watermarks = watermarks
        return await withCheckedContinuation { done in
            Thread.detachNewThread {
                let begun = ContinuousClock.now
                watermarks.wait(milliseconds: milliseconds)
                done.resume(returning: ContinuousClock.now - begun)
            }
        }
    }

    @Test func `the highest of each lane is taken once`() throws {
        watermarks.begin(try epoch())
        watermarks.rose(.standard, to: 3)
        watermarks.rose(.standard, to: 7)
        watermarks.rose(.bulk, to: 1)
        #expect(watermarks.take().pending == [.standard: 7, .bulk: 1])
        #expect(watermarks.take().pending.isEmpty)
    }

    @Test func `what another epoch counted is forgotten when one begins`() throws {
        watermarks.begin(try epoch())
        watermarks.rose(.standard, to: 3)
        watermarks.begin(try epoch())
        #expect(watermarks.take().pending == [.standard: 3])
        watermarks.rose(.standard, to: 4)
        watermarks.begin(try epoch("0100"))
        let taken = watermarks.take()
        #expect(taken.pending.isEmpty)
        #expect(taken.epoch == (try epoch("0100")))
    }

    @Test func `acks gather for a while before they are written`() async {
        watermarks.rose(.standard, to: 1)
        #expect(await waited(10_000) >= .milliseconds(90))
    }

    @Test func `many acks, or a nudge, are written at once`() async {
        for sequence in 1...256 { watermarks.rose(.standard, to: Int64(sequence)) }
        #expect(await waited(10_000) < .milliseconds(90))
        _ = watermarks.take()
        watermarks.rose(.standard, to: 257)
        watermarks.nudge()
        #expect(await waited(10_000) < .milliseconds(90))
    }
}

struct LastWriterTests {
    private func epoch(_ year: String) throws -> Epoch { try #require(Epoch("\(year)1123T091405Z-00ff")) }

    @Test func `a meta counts only with an epoch above the own one and the beacon's`() throws {
        let (old, own, later) = (try epoch("2025"), try epoch("2026"), try epoch("2027"))
        let beacon = BeaconMark(epoch: own, number: 3, session: "s")
        let ahead = BeaconMark(epoch: later, number: 3, session: "s")
        #expect(Continuity.lastWriter(beacon: nil, meta: nil, own: own) == nil)
        #expect(Continuity.lastWriter(beacon: nil, meta: old, own: own) == nil)
        #expect(Continuity.lastWriter(beacon: nil, meta: own, own: own) == nil)
        #expect(Continuity.lastWriter(beacon: beacon, meta: own, own: own) == beacon)
        #expect(Continuity.lastWriter(beacon: beacon, meta: later, own: own)?.epoch == later)
        #expect(Continuity.lastWriter(beacon: ahead, meta: later, own: own) == ahead)
    }
}

struct ReasonPolicyTests {
    private let policy = ReasonPolicy(noSubscriber: .hold)

    @Test func `an unspecified refusal is tried three times, then the lane waits`() {
        let verdicts = (0..<5).map { policy.verdict(reason: 0x80, failures: $0) }
        #expect(verdicts == [.pauseLane(0), .pauseLane(0), .pauseLane(0), .pauseLane(30_000), .pauseLane(30_000)])
    }

    @Test func `a used up quota is waited for ever longer, up to a minute`() {
        let verdicts = (0..<9).map { policy.verdict(reason: 0x97, failures: $0) }
        #expect(verdicts == [1, 2, 4, 8, 16, 32, 60, 60, 60].map { .shrinkWindow($0 * 1_000) })
    }

    @Test func `no subscriber is waited for from five seconds to a minute`() {
        let verdicts = (0..<6).map { policy.verdict(reason: 0x10, failures: $0) }
        #expect(verdicts == [5, 10, 20, 40, 60, 60].map { .pauseLane($0 * 1_000) })
    }

    @Test(arguments: [UInt8(0x87), 0x80, 0x83, 0x90, 0x91, 0x97, 0x10, 0xA2])
    func `only a size or a format ever isolates a message`(reason: UInt8) {
        for failures in 0..<100 { #expect(policy.verdict(reason: reason, failures: failures) != .isolate) }
    }

    @Test func `every refusal has words`() {
        for reason in UInt8(0x80)...0xA2 { #expect(!policy.words(reason: reason).isEmpty) }
    }
}
