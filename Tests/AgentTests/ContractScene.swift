import Contract
import Foundation
import Inventory
import MQTT
import Receiver
import SQLite
import Testing

@testable import Agent

/// Agent and receiver as programs, a broker and a bad link between them, and a warehouse that goes on.
final class ContractScene {
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

    /// Ids of the stock events that had an effect, and how often each; a `source.loss` is no line of the warehouse.
    func effects() throws -> [String: Int] {
        let connection = try Connection(path: file, mode: .readOnly)
        let rows = try connection.prepare(
            "SELECT json_extract(payload, '$.id') FROM events WHERE json_extract(payload, '$.type') LIKE 'stock.%'")
        var found: [String: Int] = [:]
        while try rows.step() { found[rows.text(0) ?? "", default: 0] += 1 }
        return found
    }

    /// Stock as the warehouse has it, each line's effect once, and repairs in the audit log.
    func compare(_ name: Comment) throws {
        let stock = try ReceiverView(path: file).balances(site: "dc-1")
        #expect(stock.count == warehouse.ledger.count, name)
        for (key, amount) in warehouse.ledger {
            #expect(stock[key]?.balance.stored(.unrestricted) == amount, "\(key) \(name)")
        }
        let effects = try self.effects()
        #expect(effects.count == warehouse.linesWritten, name)
        #expect(effects.values.allSatisfy { $0 == 1 }, name)
        let log = try ReceiverView(path: file).log(site: nil, limit: 10_000)
        let audit = try client.lines("/v1/audit?limit=1000")
        // A rolled back directory has the audit log of its day; and where the same lines gave the same events again, and
        // nobody had seen others, nothing had to be repaired since.
        guard tally["rollbacks"] == nil else { return }
        if log.contains(where: { $0.kind == "filled" }) {
            #expect(audit.contains { $0.contains("\"action\":\"replay\"") }, name)
        }
        #expect(audit.contains { $0.contains("\"action\":\"resync\"") }, name)
    }
}
