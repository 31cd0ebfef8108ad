import FoundationEssentials
import Glibc
import Logging
import Outbox
import Receiver

/// The main job, whole: a legacy export, the agent, a real broker that is killed and emptied, the reference consumer that
/// finds and fills its gap, and the truth computed from both ends.
package struct Demo {
    private static let lines = 600
    private static let linesPerStep = 15
    private static let stepMilliseconds: Int32 = 400
    /// Steps at which things happen, of 40.
    private static let consumerAway = 6..<14
    private static let brokerKilled = 11..<14
    private static let rotation = 20
    private static let outage = 24..<31
    private static let deadline: Int64 = 38_000

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
        let broker = try DemoBroker(directory: directory, settings: "persistence false")
        try broker.start()
        defer { broker.stop() }
        let page = try Loopback.freePort()
        var warehouse = DemoWarehouse(path: directory + "/moves.csv")
        let configuration = try Configuration.parse(
            Self.configuration(port: broker.port, page: page, requesters: ["ingest"]), file: "demo.conf",
            directory: directory,
            environment: [:])
        let consumer = try DemoConsumer(directory: directory, port: broker.port)
        try consumer.start()
        defer { consumer.stop() }
        Self.wait(until: begun + 5_000) { consumer.isSubscribed }
        var logger = Logger(label: "waybill") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .error
        let agent = try RunningAgent(configuration, logger: logger)
        defer { agent.shutDown() }
        print("the page: http://127.0.0.1:\(page)/")
        print("lane      seq   type               sku    bin     qty      stock")
        try play(&warehouse, broker: broker, consumer: consumer, agent: agent)
        if let interruption { try goOn(&warehouse, consumer: consumer, agent: agent, until: interruption) }
        Self.wait(until: (keepsOn ? Clocks.monotonic() : begun) + Self.deadline) {
            consumer.effects.events >= warehouse.linesWritten
        }
        consumer.takeRows().suffix(4).forEach(print)
        consumer.takeLog().forEach(print)
        let counts = consumer.counts
        consumer.stop()
        return conclude(warehouse, consumer, counts)
    }

    private func play(
        _ warehouse: inout DemoWarehouse, broker: DemoBroker, consumer: DemoConsumer, agent: RunningAgent
    ) throws {
        for step in 0..<(Self.lines / Self.linesPerStep) {
            try change(at: step, broker, consumer)
            if step == Self.rotation {
                print("--- the WMS rotates its file")
                warehouse.rotate()
            }
            try warehouse.append(lines: Self.linesPerStep)
            poll(nil, 0, Self.stepMilliseconds)
            show(consumer, backlog: Self.backlog(agent))
        }
    }

    /// What happens between warehouse and centre.
    private func change(at step: Int, _ broker: DemoBroker, _ consumer: DemoConsumer) throws {
        if step == Self.consumerAway.lowerBound {
            print("--- the consumer goes away; the broker acknowledges for it, and keeps its queue")
            consumer.stop()
        }
        if step == Self.brokerKilled.lowerBound {
            print("--- the broker is killed with SIGKILL, and its queue is gone: acknowledged events are lost")
            broker.stop(SIGKILL)
        }
        if step == Self.brokerKilled.upperBound {
            print("--- an empty broker and the consumer are back; watch it find the gap and ask for it")
            try consumer.start()
            try broker.start()
        }
        if step == Self.outage.lowerBound {
            print("--- the broker stops; the warehouse does not")
            broker.stop()
        }
        if step == Self.outage.upperBound {
            print("--- the broker is back; the backlog drains")
            try broker.start()
        }
    }

    private func goOn(
        _ warehouse: inout DemoWarehouse, consumer: DemoConsumer, agent: RunningAgent, until end: Interruption
    ) throws {
        print("--- going on; Ctrl-C ends it. Look meanwhile: waybill status --socket \(agent.controlSocket)")
        while !end.wait(milliseconds: Self.stepMilliseconds) {
            try warehouse.append(lines: Self.linesPerStep)
            show(consumer, backlog: Self.backlog(agent))
        }
    }

    private static func backlog(_ agent: RunningAgent) -> Int64 {
        agent.progress.backlog
    }

    private func show(_ consumer: DemoConsumer, backlog: Int64) {
        let rows = consumer.takeRows()
        rows.prefix(2).forEach(print)
        if rows.count > 2 { print("          … and \(rows.count - 2) more") }
        if rows.isEmpty { print("          nothing arrives; waiting in the outbox: \(backlog)") }
        consumer.takeLog().forEach(print)
    }

    private func conclude(_ warehouse: DemoWarehouse, _ consumer: DemoConsumer, _ counts: SiteCounts) -> Bool {
        let (events, repeated) = consumer.effects
        let lost = warehouse.linesWritten - events
        let stock = consumer.stock()
        let isEqual =
            warehouse.ledger.count == stock.count && warehouse.ledger.allSatisfy { stock[$0.key] == .some($0.value) }
        print(
            "demo: \(warehouse.linesWritten) WMS lines, \(events) events received, \(lost) lost, \(repeated) repeated, "
                + "\(counts.repaired) repaired by replay after \(counts.gaps) gaps, stock \(isEqual ? "equal" : "DIFFERENT")"
        )
        return lost == 0 && repeated == 0 && isEqual
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
    package static func configuration(
        port: UInt16, page: UInt16? = nil, export: String = "moves.csv", requesters: [String] = []
    ) -> String {
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

        [http]
        \(page.map { "listen = \"127.0.0.1:\($0)\"" } ?? "")

        [outbox]
        reserve = "1MiB"

        [commands]
        requesters = [\(requesters.map { "\"\($0)\"" }.joined(separator: ", "))]

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
