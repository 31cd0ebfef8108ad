import Foundation
import OwnThread
import Testing

@testable import Agent

/// What breaks continuity ends as the contract says, at both ends: a new epoch, a resync, and each line's effect once.
@Suite(.serialized, .ownThread) struct EpochsForRealTests {
    enum Break: String, CaseIterable {
        case deleted, corrupt, reset, killedWhileMoving
    }

    @Test(.timeLimit(.minutes(4)), arguments: Break.allCases)
    func `after a break both ends agree in a new epoch`(kind: Break) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let name: Comment = "\(kind.rawValue), seed \(seed)"
        let scene = try ContractScene(seed: seed, persistence: true)
        try scene.warehouse.append(lines: 300)
        #expect(try scene.settle(within: 60_000), name)
        let before = try #require(scene.status?.epoch)
        try make(kind, scene)
        try scene.startAgent()
        try scene.warehouse.append(lines: 100)
        #expect(try scene.settle(within: 120_000), name)
        let status = try #require(scene.status)
        #expect(status.epoch > before, name)
        scene.killReceiver(SIGTERM)
        #expect(try scene.receive(["--verify"]).wait() == 0, name)
        try scene.compare(name)
        let audit = try scene.client.lines("/v1/audit?limit=1000")
        #expect(kind == .deleted || audit.contains { $0.contains("\"action\":\"epoch\"") }, name)
    }

    private func make(_ kind: Break, _ scene: ContractScene) throws {
        switch kind {
        case .deleted:
            scene.killAgent()
            try FileManager.default.removeItem(atPath: scene.directory + "/data")
        case .corrupt:
            scene.killAgent()
            let file = try #require(FileHandle(forUpdatingAtPath: scene.directory + "/data/outbox.sqlite"))
            try file.write(contentsOf: Data(repeating: 0xFF, count: 16_384))
            try file.close()
            try? FileManager.default.removeItem(atPath: scene.directory + "/data/outbox.sqlite-wal")
        case .reset:
            let answer = try Program.run([
                "outbox", "reset", "--yes", "--json", "--socket", scene.directory + "/control.sock",
            ])
            #expect(answer.code == 0, "\(answer)")
        case .killedWhileMoving:
            // With nobody to take them events wait, and move into the new epoch; the agent dies right after.
            scene.broker.stop(SIGKILL)
            try scene.warehouse.append(lines: 2_000)
            Demo.wait(until: Clocks.monotonic() + 10_000) {
                (scene.status?.lanes.reduce(0) { $0 + $1.backlog } ?? 0) >= 2_000
            }
            _ = try Program.run(["outbox", "reset", "--yes", "--socket", scene.directory + "/control.sock"])
            scene.killAgent()
            try scene.broker.start()
        }
    }
}
