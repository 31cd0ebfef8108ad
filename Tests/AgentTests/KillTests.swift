@testable import Agent
import Foundation
import Inventory
import MQTT
import Testing

/// The real program and a real broker: the agent is killed with SIGKILL while a warehouse writes and rotates.
struct KillTests {
    private static let kills = 25
    private let directory = FileManager.default.temporaryDirectory.appendingPathComponent("waybill-\(UUID().uuidString)").path

    /// The program that was built beside this test.
    private var program: URL {
        let bundle = URL(fileURLWithPath: ProcessInfo.processInfo.arguments[0]).resolvingSymlinksInPath()
        return bundle.deletingLastPathComponent().appendingPathComponent("waybill")
    }

    private func startAgent() throws -> ChildProcess {
        try ChildProcess(program.path, ["run", "--config", directory + "/agent.conf"], log: directory + "/agent.log")
    }

    private func wait(_ condition: () -> Bool) -> Bool {
        let deadline = Clocks.monotonic() + 20_000
        Demo.wait(until: deadline, condition)
        return condition()
    }

    @Test(.timeLimit(.minutes(3)))
    func `every line is one event and the stock is equal after 25 kills and as many rotations`() throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix(state: seed)
        let broker = try DemoBroker(directory: directory)
        try broker.start()
        defer { broker.stop() }
        let configuration = Demo.configuration(port: broker.port)
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: directory + "/agent.conf"))
        let receiver = DemoReceiver()
        receiver.start(
            broker: try #require(BrokerAddress("mqtt://127.0.0.1:\(broker.port)")), topic: "waybill/v1/+/demo/dc-1/ev/+")
        defer { receiver.stop() }
        #expect(wait { receiver.snapshot.isSubscribed })
        var warehouse = DemoWarehouse(path: directory + "/moves.csv")
        for round in 0..<Self.kills {
            let agent = try startAgent()
            try warehouse.append(lines: 1 + Int(random.next() % 200))
            // Killed somewhere between its start and the arrival of everything that was written before.
            let wanted = receiver.snapshot.received
                + Int(random.next() % UInt64(1 + warehouse.linesWritten - receiver.snapshot.received))
            #expect(wait { receiver.snapshot.received >= wanted }, "seed \(seed), round \(round)")
            try FileManager.default.moveItem(atPath: warehouse.path, toPath: "\(warehouse.path).\(round)")
            try warehouse.append(lines: 1)
            agent.end(SIGKILL)
        }
        let agent = try startAgent()
        #expect(wait { receiver.snapshot.received >= warehouse.linesWritten }, "seed \(seed)")
        #expect(agent.end(SIGTERM) == 0)
        let tally = receiver.snapshot
        #expect(tally.received == warehouse.linesWritten, "seed \(seed)")
        #expect(tally.repeated == 0 && tally.outOfOrder == 0, "seed \(seed)")
        for (key, amount) in warehouse.ledger { #expect(tally.stock[key]?.unrestricted == amount, "seed \(seed), \(key)") }
        print("kills \(Self.kills), lines \(warehouse.linesWritten), redelivered \(tally.redelivered), seed \(seed)")
    }
}
