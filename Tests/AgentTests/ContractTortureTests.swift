import Foundation
import MQTT
import OwnThread
import Testing

@testable import Agent

// Both ends of the contract as programs, and everything between them killed: agent, receiver and broker with SIGKILL, the
// broker with and without persistence and with a short queue, the link cut, the agent's data directory rolled back and
// cloned. At the end both ends agree by hash, the stock is the warehouse's, and each line had its effect once.

@Suite(.serialized, .ownThread) struct ContractTortureTests {
    @Test(.timeLimit(.minutes(8)), arguments: [true, false])
    func `both ends agree after kills of agent, receiver and broker, rollbacks and clones`(persistence: Bool) throws {
        try torture(seed: .random(in: 0...UInt64.max), persistence: persistence, rounds: 12, rollsBack: persistence)
    }

    @Test(.enabled(if: soak > 0, "make soak runs it"), .timeLimit(.minutes(1_500)))
    func `for as long as asked for, both ends agree`() throws {
        let deadline = Clocks.monotonic() + soak * 60_000
        while Clocks.monotonic() < deadline {
            let seed = UInt64.random(in: 0...UInt64.max)
            try torture(seed: seed, persistence: seed % 2 == 0, rounds: 60, rollsBack: true)
        }
    }

    private func torture(seed: UInt64, persistence: Bool, rounds: Int, rollsBack: Bool) throws {
        let name: Comment = "seed \(seed), persistence \(persistence)"
        let scene = try ContractScene(seed: seed, persistence: persistence)
        try scene.warehouse.append(lines: 50)
        try scene.startAgent()
        try scene.startReceiver()
        for _ in 0..<rounds / 2 { try scene.round() }
        // A clone of a directory whose agent lives: it must not publish.
        scene.killAgent()
        try scene.copyData(to: "clone")
        try scene.copyData(to: "snapshot")
        try scene.startAgent()
        try scene.write()
        Demo.wait(until: Clocks.monotonic() + 5_000) { scene.status?.isConnected == true }
        let clone = try scene.runAgent("clone.conf")
        scene.count("clones")
        for _ in 0..<2 { try scene.round() }
        clone.end(SIGKILL)
        if rollsBack { try scene.rollBack(to: "snapshot") }
        for _ in 0..<rounds / 2 { try scene.round() }
        #expect(try scene.settle(within: 240_000), name)
        scene.killReceiver(SIGTERM)
        let verified = try scene.receive(["--verify"]).wait()
        #expect(verified == 0, name)
        try scene.compare(name)
        print(
            "contract torture: \(scene.warehouse.linesWritten) lines, \(scene.tally.sorted { $0.key < $1.key }), \(name)"
        )
    }
}

private var soak: Int64 { ProcessInfo.processInfo.environment["WAYBILL_SOAK_MINUTES"].flatMap(Int64.init) ?? 0 }
