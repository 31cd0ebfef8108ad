import Contract
import Foundation
import Inventory
import MQTT
import Receiver
import SQLite
import Testing

@testable import Agent

// Both ends of the contract as programs, and everything between them killed: agent, receiver and broker with SIGKILL, the
// broker with and without persistence and with a short queue, the link cut, the agent's data directory rolled back and
// cloned. At the end both ends agree by hash, the stock is the warehouse's, and each line had its effect once.

@Suite(.serialized) struct ContractTortureTests {
    private final class Scene {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "wb-\(UUID().uuidString.prefix(8))"
        )
        .path
        let broker: DemoBroker
        let proxy: FaultProxy
        var warehouse: DemoWarehouse
        var random: Jitter
        private(set) var agent: ChildProcess?
        private(set) var receiver: ChildProcess?
        var tally: [String: Int] = [:]
        var file: String { directory + "/received.sqlite" }
        var client: ControlClient { ControlClient(path: directory + "/control.sock") }

        init(seed: UInt64, persistence: Bool) throws {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            random = Jitter(seed: seed)
            broker = try DemoBroker(
                directory: directory, settings: "persistence \(persistence)\nmax_queued_messages 1000")
            try broker.start()
            proxy = try FaultProxy(upstream: broker.port)
            warehouse = DemoWarehouse(path: directory + "/moves.csv")
            try write(configuration: "agent.conf", data: "data", socket: "control.sock")
            try write(configuration: "clone.conf", data: "clone", socket: "clone.sock")
        }

        deinit {
            for process in [agent, receiver] { process?.end(SIGKILL) }
            proxy.stop()
            broker.stop(SIGKILL)
            try? FileManager.default.removeItem(atPath: directory)
        }

        private func write(configuration: String, data: String, socket: String) throws {
            let text = Demo.configuration(port: proxy.port, requesters: ["ingest"])
                .replacingOccurrences(of: "data_dir = \"data\"", with: "data_dir = \"\(data)\"")
                .replacingOccurrences(of: "control.sock", with: socket)
                .replacingOccurrences(of: "[mqtt]\n", with: "[mqtt]\nbatch = { above = 20, events = 7 }\n")
            try Data(text.utf8)
                .write(to: URL(fileURLWithPath: directory + "/" + configuration))
        }

        private static var program: String {
            let bundle = URL(fileURLWithPath: ProcessInfo.processInfo.arguments[0]).resolvingSymlinksInPath()
            return bundle.deletingLastPathComponent().appendingPathComponent("waybill").path
        }

        func runAgent(_ configuration: String = "agent.conf") throws -> ChildProcess {
            try ChildProcess(
                Self.program, ["run", "--config", directory + "/" + configuration], log: directory + "/agent.log")
        }

        func receive(_ more: [String]) throws -> ChildProcess {
            try ChildProcess(
                Self.program,
                [
                    "receive", "--broker", "mqtt://127.0.0.1:\(broker.port)", "--tenant", "demo", "--db", file, "--as",
                    "ingest", "--receipts", "every=100,max=1s", "--keep-events", "7d",
                ] + more, log: directory + "/receiver.log")
        }

        func startAgent() throws { if agent == nil { agent = try runAgent() } }
        func startReceiver() throws { if receiver == nil { receiver = try receive([]) } }

        func killAgent() {
            agent?.end(SIGKILL)
            agent = nil
            count("agent kills")
        }

        func killReceiver(_ signal: Int32 = SIGKILL) {
            receiver?.end(signal)
            receiver = nil
            count("receiver kills")
        }

        func killBroker() throws {
            broker.stop(SIGKILL)
            try broker.start()
            count("broker kills")
        }

        func count(_ what: String) { tally[what, default: 0] += 1 }

        func write() throws { try warehouse.append(lines: 1 + Int(random.next() % 120)) }

        func pause(upTo milliseconds: UInt64) { poll(nil, 0, Int32(1 + random.next() % milliseconds)) }

        /// The agent's data as a snapshot of the machine holds it, taken while it does not run.
        func copyData(to name: String) throws {
            try? FileManager.default.removeItem(atPath: directory + "/" + name)
            try FileManager.default.copyItem(atPath: directory + "/data", toPath: directory + "/" + name)
        }

        func rollBack(to name: String) throws {
            killAgent()
            try FileManager.default.removeItem(atPath: directory + "/data")
            try FileManager.default.moveItem(atPath: directory + "/" + name, toPath: directory + "/data")
            count("rollbacks")
        }

        func round() throws {
            try startAgent()
            try startReceiver()
            try write()
            pause(upTo: 600)
            switch random.next() % 6 {
            case 0: killAgent()
            case 1: killReceiver()
            case 2: try killBroker()
            case 3:
                killReceiver()
                try write()
                try killBroker()
            case 4:
                proxy.set(FaultProxy.Fault.allCases[Int(random.next() % 4)])
                try write()
                pause(upTo: 300)
                proxy.cut()
                count("cuts")
            default:
                killReceiver()
                // More than the broker keeps for who is away.
                try warehouse.append(lines: 1_500)
                pause(upTo: 1_500)
            }
        }

        var status: StatusDocument? { try? client.get(StatusDocument.self, "/v1/status") }

        /// Whether the receiver has all that the agent gave.
        func isLevel() -> Bool {
            guard let status, let site = try? ReceiverView(path: file).sites(nil).first, site.epoch == status.epoch,
                !site.isResyncing
            else { return false }
            let heads = Dictionary(uniqueKeysWithValues: status.lanes.map { ($0.name, $0.head) })
            return heads.reduce(0) { $0 + $1.value } > 0 && heads.allSatisfy { site.offsets[$0.key] == $0.value }
        }

        /// A line now and then shows both ends what the last one was.
        func settle(within milliseconds: Int64) throws -> Bool {
            let deadline = Clocks.monotonic() + milliseconds
            try startAgent()
            try startReceiver()
            while Clocks.monotonic() < deadline {
                try warehouse.append(lines: 3)
                Demo.wait(until: Clocks.monotonic() + 3_000) { isLevel() && captured() }
                if isLevel(), captured() { return true }
            }
            return false
        }

        /// Whether the agent has read the file to its end.
        private func captured() -> Bool {
            guard let outbox = try? client.get(OutboxDocument.self, "/v1/outbox"),
                let size = (try? FileManager.default.attributesOfItem(atPath: warehouse.path))?[.size] as? Int
            else { return false }
            return outbox.sources.first.map { $0.position.contains("\(size)") } ?? false
        }

        /// Ids of the events that had an effect, and how often each.
        func effects() throws -> [String: Int] {
            let connection = try Connection(path: file, mode: .readOnly)
            let rows = try connection.prepare("SELECT json_extract(payload, '$.id') FROM events")
            var found: [String: Int] = [:]
            while try rows.step() { found[rows.text(0) ?? "", default: 0] += 1 }
            return found
        }
    }

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
        let scene = try Scene(seed: seed, persistence: persistence)
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
        try compare(scene, name)
        print(
            "contract torture: \(scene.warehouse.linesWritten) lines, \(scene.tally.sorted { $0.key < $1.key }), \(name)"
        )
    }

    private func compare(_ scene: Scene, _ name: Comment) throws {
        let stock = try ReceiverView(path: scene.file).balances(site: "dc-1")
        #expect(stock.count == scene.warehouse.ledger.count, name)
        for (key, amount) in scene.warehouse.ledger {
            #expect(stock[key]?.balance.stored(.unrestricted) == amount, "\(key) \(name)")
        }
        let effects = try scene.effects()
        #expect(effects.count == scene.warehouse.linesWritten, name)
        #expect(effects.values.allSatisfy { $0 == 1 }, name)
        let log = try ReceiverView(path: scene.file).log(site: nil, limit: 10_000)
        let audit = try scene.client.lines("/v1/audit?limit=1000")
        // A rolled back directory has the audit log of its day; what was repaired since stands there.
        if scene.tally["rollbacks"] == nil, log.contains(where: { $0.kind == "filled" }) {
            #expect(audit.contains { $0.contains("\"action\":\"replay\"") }, name)
        }
        #expect(audit.contains { $0.contains("\"action\":\"resync\"") }, name)
    }
}

private var soak: Int64 { ProcessInfo.processInfo.environment["WAYBILL_SOAK_MINUTES"].flatMap(Int64.init) ?? 0 }
