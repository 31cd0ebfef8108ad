import Agent
import FoundationEssentials
import Glibc
import SQLite

/// A waiting export to a subscriber: rows a second, and CPU a row.
struct Throughput {
    let program: String
    let lines: Int
    let directory: String

    func run(runs: Int, into table: inout FigureTable) throws {
        var export = try Export(path: directory + "/waiting.csv")
        try export.append(lines: lines)
        var rates: [String: [Double]] = [:]
        var costs: [String: [Double]] = [:]
        var names: [String] = []
        for run in 0..<runs {
            let contestants: [any Contestant] = [
                Waybill(program: program, batches: false), TailIntoPublisher(),
                Waybill(program: program, batches: true), Bridge(),
            ]
            for contestant in contestants {
                let (rate, cost) = try measure(contestant, export: export.path, home: "\(directory)/run-\(run)")
                if run == 0 { names.append(contestant.name) }
                rates[contestant.name, default: []].append(rate)
                costs[contestant.name, default: []].append(cost)
            }
        }
        let peer = median(rates[TailIntoPublisher().name] ?? [])
        let bars = ["waybill, batches off": (1.0, "≤ 30"), "waybill, batches on": (2.0, "≤ 20")]
        for name in names {
            let bar = bars[name]
            table.add("\(name): rows", median(rates[name] ?? []), "/s", bar: bar.map { "≥ \(Int($0.0 * peer))" } ?? "")
            table.add("\(name): CPU a row", median(costs[name] ?? []), "µs", bar: bar?.1 ?? "")
        }
    }

    private func measure(_ contestant: any Contestant, export: String, home: String) throws -> (Double, Double) {
        mkdir(home, 0o700)
        defer { try? FileManager.default.removeItem(atPath: home) }
        let broker = try DemoBroker(directory: home)
        try broker.start()
        let subscriber = try Subscriber(port: broker.port, topic: contestant.topic)
        var contestant = contestant
        let begun = nanoseconds()
        try contestant.start(export: export, port: broker.port, directory: home)
        // The bridge may lose what its local broker dropped, so no count is waited for beyond a pause of 3 s.
        try wait(for: "the last of \(lines) rows by \(contestant.name)") {
            subscriber.events >= lines || (subscriber.events > 0 && nanoseconds() - subscriber.lastAt > 3_000_000_000)
        }
        let took = Double(subscriber.lastAt - begun) / 1e9
        let events = subscriber.events
        let cpu = contestant.end()
        subscriber.stop()
        broker.stop()
        if events != lines { print("\(contestant.name): \(events) of \(lines) rows arrived") }
        return (Double(events) / took, cpu / Double(max(1, events)) * 1e6)
    }
}

/// Append to subscriber at 100 rows a second.
struct Latency {
    let program: String
    let seconds: Int
    let directory: String

    func run(into table: inout FigureTable) throws {
        let contestants: [any Contestant] = [Waybill(program: program, batches: true), TailIntoPublisher()]
        for contestant in contestants {
            let samples = try measure(contestant)
            let isOurs = contestant is Waybill
            table.add("\(contestant.name), 100 rows/s: p50", quantile(samples, 0.5), "ms", bar: isOurs ? "≤ 4" : "")
            table.add("\(contestant.name), 100 rows/s: p99", quantile(samples, 0.99), "ms", bar: isOurs ? "≤ 20" : "")
        }
    }

    private func measure(_ contestant: any Contestant) throws -> [Double] {
        let home = directory + "/latency"
        mkdir(home, 0o700)
        defer { try? FileManager.default.removeItem(atPath: home) }
        let broker = try DemoBroker(directory: home)
        try broker.start()
        let subscriber = try Subscriber(port: broker.port, topic: contestant.topic, keepsArrivals: true)
        var export = try Export(path: home + "/moves.csv")
        var contestant = contestant
        try contestant.start(export: export.path, port: broker.port, directory: home)
        try export.append(lines: 1)
        try wait(for: "the first row") { subscriber.events >= 1 }
        var written: [Int64] = []
        for _ in 0..<(seconds * 100) {
            poll(nil, 0, 10)
            written.append(nanoseconds())
            try export.append(lines: 1)
        }
        try wait(for: "the last row") { subscriber.events >= written.count + 1 }
        let arrivals = subscriber.arrivals.dropFirst()
        _ = contestant.end()
        subscriber.stop()
        broker.stop()
        return zip(written, arrivals).map { Double($1 - $0) / 1e6 }
    }
}

/// Capture while the broker is away, the start after it, the drain, and then the idle cost.
struct Backlog {
    let program: String
    let events: Int
    let idleSeconds: Int
    let directory: String

    func run(into table: inout FigureTable) throws {
        let home = directory + "/backlog"
        mkdir(home, 0o700)
        defer { try? FileManager.default.removeItem(atPath: home) }
        var export = try Export(path: home + "/moves.csv")
        try export.append(lines: events)
        let broker = try DemoBroker(directory: home)
        var agent = Waybill(program: program, batches: true)
        try capture(&agent, export.path, broker.port, home, &table)
        try broker.start()
        let subscriber = try Subscriber(port: broker.port, topic: agent.topic)
        let begun = nanoseconds()
        try agent.start(export: export.path, port: broker.port, directory: home)
        var peak = 0.0
        try wait(for: "\(events) events") {
            peak = max(peak, Self.residentMegabytes(agent.pid))
            poll(nil, 0, 20)
            return subscriber.events >= events
        }
        let first = subscriber.firstAt ?? begun
        table.add("start with \(events) waiting to first publish", Double(first - begun) / 1e9, "s", bar: "≤ 1")
        table.add("drained", Double(events) / (Double(subscriber.lastAt - first) / 1e9), "events/s", bar: "≥ 40000")
        table.add("resident while draining", peak, "MB", bar: "≤ 32")
        idle(agent, &table)
        _ = agent.end()
        subscriber.stop()
        broker.stop()
    }

    private func capture(
        _ agent: inout Waybill, _ export: String, _ port: UInt16, _ home: String, _ table: inout FigureTable
    ) throws {
        let begun = nanoseconds()
        try agent.start(export: export, port: port, directory: home)
        var peak = 0.0
        try wait(for: "the capture of \(events) events", seconds: 300) {
            peak = max(peak, Self.residentMegabytes(agent.pid))
            poll(nil, 0, 50)
            return Self.captured(home + "/data/outbox.sqlite") >= events
        }
        table.add("\(events) events captured, broker away", Double(nanoseconds() - begun) / 1e9, "s", bar: "≤ 25")
        table.add("resident while capturing", peak, "MB", bar: "≤ 32")
        let cpu = agent.stop(SIGKILL)
        table.add("capture: CPU an event", cpu / Double(events) * 1e6, "µs")
    }

    private func idle(_ agent: Waybill, _ table: inout FigureTable) {
        // What the drain left beyond `keep_bytes` is pruned first: that is work, not idling.
        let begun = nanoseconds()
        while Self.share(of: agent.pid, seconds: 5) > 0.3, nanoseconds() - begun < 90_000_000_000 {}
        table.add("idle after the drain, within", Double(nanoseconds() - begun) / 1e9, "s")
        let share = Self.share(of: agent.pid, seconds: idleSeconds)
        table.add("idle, connected", share, "% of a core", bar: "≤ 0.3")
        table.add("resident idle, after the drain", Self.residentMegabytes(agent.pid), "MB", bar: "≤ 25")
    }

    /// Per cent of a core.
    private static func share(of pid: pid_t, seconds: Int) -> Double {
        let before = cpuSeconds(pid)
        poll(nil, 0, Int32(seconds * 1_000))
        return (cpuSeconds(pid) - before) / Double(seconds) * 100
    }

    static func captured(_ path: String) -> Int {
        guard let reader = try? Connection.openReader(path: path) else { return 0 }
        return Int((try? reader.integer("SELECT sum(head) FROM lanes")) ?? 0)
    }

    static func residentMegabytes(_ pid: pid_t) -> Double {
        let pages = (FileBytes.text("/proc/\(pid)/statm") ?? "").split(separator: " ")
        return pages.count > 1 ? (Double(pages[1]) ?? 0) * 4_096 / 1e6 : 0
    }

    static func cpuSeconds(_ pid: pid_t) -> Double {
        let fields = (FileBytes.text("/proc/\(pid)/stat") ?? "").split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}
