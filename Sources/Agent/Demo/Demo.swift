import FoundationEssentials
import Glibc
import Logging
import MQTT
import Outbox

/// The main job, whole: a legacy export, the agent, a real broker that goes away for a while, a consumer, and the truth
/// computed from both ends.
package struct Demo {
    private static let lines = 600
    private static let linesPerStep = 15
    private static let stepMilliseconds: Int32 = 400
    /// Steps at which things happen, of 40.
    private static let rotation = 20
    private static let outage = 14..<24
    private static let deadline: Int64 = 36_000

    private let print: (String) -> Void

    private let keepsOn: Bool

    /// `keepsOn`: until SIGINT or SIGTERM, at the same pace, instead of 600 lines.
    package init(keepsOn: Bool = false, print: @escaping (String) -> Void) {
        self.keepsOn = keepsOn
        self.print = print
    }

    /// True when nothing was lost, repeated or out of order and the stock is equal.
    package func run() throws -> Bool {
        let begun = Clocks.monotonic()
        let interruption = keepsOn ? Interruption() : nil
        let directory = try Self.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let broker = try DemoBroker(directory: directory)
        try broker.start()
        defer { broker.stop() }
        guard let address = BrokerAddress("mqtt://127.0.0.1:\(broker.port)") else { return false }
        var warehouse = DemoWarehouse(path: directory + "/moves.csv")
        let configuration = try Configuration.parse(
            Self.configuration(port: broker.port), file: "demo.conf", directory: directory, environment: [:])
        let receiver = DemoReceiver()
        receiver.start(broker: address, topic: "waybill/v1/+/demo/dc-1/ev/+")
        defer { receiver.stop() }
        Self.wait(until: begun + 5_000) { receiver.snapshot.isSubscribed }
        var logger = Logger(label: "waybill") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .error
        let agent = try RunningAgent(configuration, logger: logger)
        defer { agent.shutDown() }
        print("lane      seq   type               sku    bin     qty      stock")
        try play(&warehouse, broker: broker, receiver: receiver, agent: agent)
        if let interruption { try goOn(&warehouse, receiver: receiver, agent: agent, until: interruption) }
        Self.wait(until: (keepsOn ? Clocks.monotonic() : begun) + Self.deadline) {
            receiver.snapshot.received >= warehouse.linesWritten
        }
        receiver.takeRows().suffix(4).forEach(print)
        return conclude(warehouse, receiver.snapshot)
    }

    private func play(
        _ warehouse: inout DemoWarehouse, broker: DemoBroker, receiver: DemoReceiver, agent: RunningAgent
    ) throws {
        for step in 0..<(Self.lines / Self.linesPerStep) {
            if step == Self.outage.lowerBound {
                print("--- the broker stops; the warehouse does not")
                broker.stop()
            }
            if step == Self.outage.upperBound {
                print("--- the broker is back; the backlog drains")
                try broker.start()
            }
            if step == Self.rotation {
                print("--- the WMS rotates its file")
                warehouse.rotate()
            }
            try warehouse.append(lines: Self.linesPerStep)
            poll(nil, 0, Self.stepMilliseconds)
            show(receiver.takeRows(), backlog: Self.backlog(agent))
        }
    }

    private func goOn(
        _ warehouse: inout DemoWarehouse, receiver: DemoReceiver, agent: RunningAgent, until end: Interruption
    ) throws {
        print("--- going on; Ctrl-C ends it. Look meanwhile: waybill status --socket \(agent.controlSocket)")
        while !end.wait(milliseconds: Self.stepMilliseconds) {
            try warehouse.append(lines: Self.linesPerStep)
            show(receiver.takeRows(), backlog: Self.backlog(agent))
        }
    }

    private static func backlog(_ agent: RunningAgent) -> Int64 {
        agent.progress.backlog
    }

    private func show(_ rows: [String], backlog: Int64) {
        rows.prefix(2).forEach(print)
        if rows.count > 2 { print("          … and \(rows.count - 2) more") }
        if rows.isEmpty { print("          nothing arrives; waiting in the outbox: \(backlog)") }
    }

    private func conclude(_ warehouse: DemoWarehouse, _ tally: DemoReceiver.Tally) -> Bool {
        let lost = warehouse.linesWritten - tally.received
        let isEqual = warehouse.ledger.allSatisfy { tally.stock[$0.key]?.unrestricted == $0.value }
        let isSameSize = warehouse.ledger.count == tally.stock.count
        print(
            "demo: \(warehouse.linesWritten) WMS lines, \(tally.received) events received, \(lost) lost, "
                + "\(tally.repeated) repeated (\(tally.redelivered) redelivered), \(tally.outOfOrder) out of order, "
                + "stock \(isEqual && isSameSize ? "equal" : "DIFFERENT")")
        return lost == 0 && tally.repeated == 0 && tally.outOfOrder == 0 && isEqual && isSameSize
    }

    static func wait(until deadline: Int64, _ condition: () -> Bool) {
        while !condition(), Clocks.monotonic() < deadline { poll(nil, 0, 20) }
    }

    private static func temporaryDirectory() throws -> String {
        var template = Array("/tmp/waybill-demo-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw FileError(operation: "make", path: "/tmp", code: errno) }
        return String(cString: made)
    }

    /// The configuration of the example site, for an agent that follows `export`.
    package static func configuration(port: UInt16, export: String = "moves.csv") -> String {
        """
        [site]
        tenant = "demo"
        site = "dc-1"
        time_zone = "Europe/Berlin"

        [mqtt]
        brokers = ["mqtt://127.0.0.1:\(port)"]
        backoff = { min = "50ms", max = "300ms" }

        [agent]
        data_dir = "data"
        control_socket = "control.sock"

        [outbox]
        reserve = "1MiB"

        [inventory]
        baseline = "zero"

        [[source]]
        name = "moves"
        kind = "tail"
        path = "\(export)"
        format = { type = "csv", delimiter = ";", header = true, encoding = "cp1252" }

        [[source.event]]
        when = "code = 'SH'"
        type = "stock.shipped"
        id = "txn_no"
        sku = "item"
        quantity = "decimal(qty, ',')"
        uom = "unit"
        location = "whse || '-' || bin"
        lot = "nullif(trim(batch), '')"
        occurred_at = "local_time(date || time, 'yyyyMMddHHmmss')"
        document = "order_no"

        [[source.event]]
        when = "code = 'RC'"
        type = "stock.received"
        id = "txn_no"
        sku = "item"
        quantity = "decimal(qty, ',')"
        uom = "unit"
        location = "whse || '-' || bin"
        occurred_at = "local_time(date || time, 'yyyyMMddHHmmss')"
        document = "order_no"
        """
    }
}
