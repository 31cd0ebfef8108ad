import Foundation
import Inventory
import MQTT
import OwnThread
import Testing

@testable import Agent

// The real program and a real broker, with a proxy between them: while a warehouse appends and rotates, the agent is
// killed with SIGKILL and its link is cut, swallowed, stalled and half-opened, all from one printed seed. SIGKILL
// proves no fsync (the page cache survives it); that is the crash-consistency test's part.

@Suite(.serialized, .ownThread) struct TortureTests {
    /// What delivery may repeat after one interruption: the window and one batch of acks.
    private static let repeatsPerInterruption = 100 + 256
    private static let rounds = 26

    private final class Scene {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("waybill-\(UUID().uuidString)")
            .path
        let broker: DemoBroker
        let proxy: FaultProxy
        let receiver = DemoReceiver()
        var warehouse: DemoWarehouse
        var random: Jitter
        var kills = 0
        var rotations = 0
        private(set) var agent: ChildProcess?

        private let isDrop: Bool

        init(seed: UInt64, batches: String, isDrop: Bool) throws {
            self.isDrop = isDrop
            try FileManager.default.createDirectory(atPath: directory + "/in", withIntermediateDirectories: true)
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            random = Jitter(seed: seed)
            broker = try DemoBroker(directory: directory)
            try broker.start()
            proxy = try FaultProxy(upstream: broker.port)
            warehouse = DemoWarehouse(path: directory + (isDrop ? "/in/.next" : "/moves.csv"))
            var configuration = Demo.configuration(port: proxy.port)
                .replacingOccurrences(of: "[mqtt]\n", with: "[mqtt]\nbatch = \(batches)\n")
            if isDrop {
                configuration = configuration.replacingOccurrences(
                    of: "kind = \"tail\"\npath = \"moves.csv\"",
                    with: "kind = \"drop\"\npath = \"in/moves-{seq}.csv\"\ncomplete = \"renamed\"\nafter = \"delete\"")
            }
            try Data(configuration.utf8).write(to: URL(fileURLWithPath: directory + "/agent.conf"))
            let address = try #require(BrokerAddress("mqtt://127.0.0.1:\(broker.port)"))
            receiver.start(broker: address, topic: "waybill/v1/+/demo/dc-1/ev/+")
        }

        deinit {
            agent?.end(SIGKILL)
            proxy.stop()
            receiver.stop()
            broker.stop()
            try? FileManager.default.removeItem(atPath: directory)
        }

        /// The program that was built beside this test.
        func startAgent() throws {
            let bundle = URL(fileURLWithPath: ProcessInfo.processInfo.arguments[0]).resolvingSymlinksInPath()
            let program = bundle.deletingLastPathComponent().appendingPathComponent("waybill").path
            agent = try ChildProcess(
                program, ["run", "--config", directory + "/agent.conf"], log: directory + "/agent.log")
        }

        func kill() {
            agent?.end(SIGKILL)
            agent = nil
            kills += 1
        }

        func stopAgent() -> Int32 {
            defer { agent = nil }
            return agent?.end(SIGTERM) ?? -1
        }

        /// The next file of the series, renamed to its name when it is whole.
        func drop(lines: Int) throws {
            try warehouse.append(lines: lines)
            rotations += 1
            try FileManager.default.moveItem(atPath: warehouse.path, toPath: "\(directory)/in/moves-\(rotations).csv")
        }

        func write() throws {
            if isDrop { return try drop(lines: 1 + Int(random.next() % 150)) }
            try warehouse.append(lines: 1 + Int(random.next() % 150))
            guard random.next() % 2 == 0 else { return }
            rotations += 1
            try FileManager.default.moveItem(atPath: warehouse.path, toPath: "\(warehouse.path).\(rotations)")
            try warehouse.append(lines: 1)
        }

        var filesLeft: [String] { (try? FileManager.default.contentsOfDirectory(atPath: directory + "/in")) ?? [] }

        func writeOne() throws { if isDrop { try drop(lines: 1) } else { try warehouse.append(lines: 1) } }

        /// Waits until some of what is not there yet has arrived, or a moment has passed: a damaged link passes nothing.
        func letSomeArrive(within milliseconds: Int64) {
            let missing = warehouse.linesWritten - receiver.snapshot.received
            let wanted = receiver.snapshot.received + Int(random.next() % UInt64(1 + max(0, missing)))
            Demo.wait(until: Clocks.monotonic() + milliseconds) { receiver.snapshot.received >= wanted }
        }

        func round() throws {
            if agent == nil { try startAgent() }
            try write()
            letSomeArrive(within: 3_000)
            let fault = FaultProxy.Fault.allCases[Int(random.next() % 4)]
            proxy.set(fault)
            try write()
            letSomeArrive(within: fault == .none ? 3_000 : 150)
            proxy.cut()
            try write()
            letSomeArrive(within: 3_000)
            kill()
        }
    }

    @Test(.timeLimit(.minutes(3)), arguments: ["{ off = true }", "{ above = 20, events = 7 }"])
    func `through kills and cuts every line is one event, in order, and the stock is equal`(batches: String)
        throws
    {
        try torture(batches: batches, eventsPerMessage: batches.contains("off") ? 1 : 7) { $0.kills < Self.rounds }
    }

    @Test(.timeLimit(.minutes(3)))
    func `through kills and cuts every line of a drop directory is one event, and its files are gone`() throws {
        try torture(batches: "{ above = 20, events = 7 }", eventsPerMessage: 7, isDrop: true) {
            $0.kills < Self.rounds
        }
    }

    @Test(.enabled(if: soakMinutes > 0, "make soak runs it"), .timeLimit(.minutes(1_500)), arguments: [false, true])
    func `for as long as asked for, every line is one event`(isDrop: Bool) throws {
        let deadline = Clocks.monotonic() + soakMinutes * 60_000 / 2
        try torture(batches: "{ above = 20, events = 7 }", eventsPerMessage: 7, isDrop: isDrop) { _ in
            Clocks.monotonic() < deadline
        }
    }

    private func torture(
        batches: String, eventsPerMessage: Int, isDrop: Bool = false, goesOn: (Scene) -> Bool
    ) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let scene = try Scene(seed: seed, batches: batches, isDrop: isDrop)
        let name: Comment = "seed \(seed), batch = \(batches)"
        Demo.wait(until: Clocks.monotonic() + 20_000) { scene.receiver.snapshot.isSubscribed }
        // What is rotated away before the very first look is not the agent's to read.
        try scene.startAgent()
        try scene.writeOne()
        Demo.wait(until: Clocks.monotonic() + 20_000) { scene.receiver.snapshot.received == 1 }
        while goesOn(scene) { try scene.round() }
        try scene.startAgent()
        try scene.writeOne()
        let lines = scene.warehouse.linesWritten
        Demo.wait(until: Clocks.monotonic() + 60_000) { scene.receiver.snapshot.received >= lines }
        if isDrop { Demo.wait(until: Clocks.monotonic() + 10_000) { scene.filesLeft.isEmpty } }
        #expect(scene.stopAgent() == 0, name)
        #expect(scene.filesLeft.isEmpty, name)
        let tally = scene.receiver.snapshot
        #expect(tally.received == lines && tally.others.isEmpty, "\(tally.others) \(name)")
        #expect(tally.repeated == 0 && tally.outOfOrder == 0, name)
        #expect(scene.proxy.cuts >= scene.kills - 1 && scene.kills >= 25, name)
        let interruptions = scene.kills + scene.proxy.cuts
        #expect(tally.redelivered <= interruptions * Self.repeatsPerInterruption * eventsPerMessage, name)
        #expect(tally.stock.count == scene.warehouse.ledger.count, name)
        for (key, amount) in scene.warehouse.ledger { #expect(tally.stock[key]?.unrestricted == amount, name) }
        print(
            "torture: \(lines) lines, \(scene.kills) kills, \(scene.proxy.cuts) cuts, \(scene.proxy.swallowed) "
                + "PUBACKs swallowed, \(scene.rotations) rotations, \(tally.redelivered) redelivered, \(name)")
    }
}

private var soakMinutes: Int64 { ProcessInfo.processInfo.environment["WAYBILL_SOAK_MINUTES"].flatMap(Int64.init) ?? 0 }
