import Agent
import FoundationEssentials
import Glibc
import Ingest
import Inventory
import SQLite

/// Full exports through the real program, broker away: the first one, then one in which one row of a hundred changed.
struct FullExports {
    let program: String
    let rows: Int
    let directory: String
    /// What the issue of this part asks for, in seconds and megabytes; nil: no bar.
    let bars: (seconds: String, resident: String)

    func run(into table: inout FigureTable) throws {
        let home = directory + "/full-\(rows)"
        mkdir(home, 0o700)
        mkdir(home + "/in", 0o700)
        defer { try? FileManager.default.removeItem(atPath: home) }
        try FileBytes.replace(home + "/agent.conf", with: DropFiles.configuration(mode: "full"))
        try dump(1, to: home)
        let agent = try ChildProcess(program, ["run", "--config", home + "/agent.conf"], log: home + "/agent.log")
        defer { agent.end(SIGKILL) }
        let first = try take(rows, agent, home)
        try quiet(agent)
        let cpu = Backlog.cpuSeconds(agent.pid)
        try dump(2, to: home)
        let second = try take(rows + rows / 100, agent, home)
        table.add("first full export of \(rows) rows, all told", first.seconds, "s")
        table.add(
            "full export of \(rows) rows, 1 % changed, to durable events", second.seconds, "s", bar: bars.seconds)
        table.add("CPU of that", Backlog.cpuSeconds(agent.pid) - cpu, "s")
        table.add("resident meanwhile", max(first.resident, second.resident), "MB", bar: bars.resident)
    }

    /// Until the outbox holds so many events; counted from when the export stands under its name.
    private func take(_ events: Int, _ agent: ChildProcess, _ home: String) throws -> (
        seconds: Double, resident: Double
    ) {
        let begun = nanoseconds()
        var peak = 0.0
        try wait(for: "\(events) events", seconds: 300) {
            peak = max(peak, Backlog.residentMegabytes(agent.pid))
            poll(nil, 0, 20)
            return Backlog.captured(home + "/data/outbox.sqlite") >= events
        }
        return (Double(nanoseconds() - begun) / 1e9, peak)
    }

    /// What the first export left to be tidied up is not the second one's.
    private func quiet(_ agent: ChildProcess) throws {
        try wait(for: "a quiet agent", seconds: 60) {
            let before = Backlog.cpuSeconds(agent.pid)
            poll(nil, 0, 1_000)
            return Backlog.cpuSeconds(agent.pid) - before < 0.05
        }
    }

    private func dump(_ day: Int, to home: String) throws {
        let name = "stock_2026110\(day).csv"
        let part = "\(home)/in/.\(name)"
        try FileBytes.append(Array("item;description;bin;lot;qty;uom;updated\n".utf8), to: part)
        var text: [UInt8] = []
        for row in 0..<rows {
            let figure = day == 2 && row % 100 == 7 ? row % 977 + 1 : row % 977
            text += Array(
                "\(10_000_000 + row);Article number \(row % 5_000);A-\(row % 400);L\(row % 90);\(figure);EA;20261101\n"
                    .utf8)
            if text.count > 1 << 20 || row == rows - 1 {
                try FileBytes.append(text, to: part)
                text.removeAll(keepingCapacity: true)
            }
        }
        rename(part, "\(home)/in/\(name)")
    }
}

/// A directory with many small files: what one of them costs must not depend on how many there are.
struct DropFiles {
    let program: String
    let files: Int
    let directory: String

    /// Seconds of CPU until all are captured, the agent's start included.
    func run() throws -> Double {
        let home = directory + "/drop-\(files)"
        mkdir(home, 0o700)
        mkdir(home + "/in", 0o700)
        defer { try? FileManager.default.removeItem(atPath: home) }
        try FileBytes.replace(home + "/agent.conf", with: Self.configuration(mode: "changes"))
        for file in 0..<files {
            // As many SKUs however many files: what the stock's table costs is another measure.
            let text = "item;description;bin;lot;qty;uom;updated\n\(file % 1_000);\(file);A;L;1;EA;20261101\n"
            try FileBytes.append(Array(text.utf8), to: "\(home)/in/stock_\(20_000_000 + file).csv")
        }
        let agent = try ChildProcess(program, ["run", "--config", home + "/agent.conf"], log: home + "/agent.log")
        defer { agent.end(SIGKILL) }
        try wait(for: "\(files) files", seconds: 600) {
            poll(nil, 0, 10)
            return Backlog.captured(home + "/data/outbox.sqlite") >= files
        }
        return Backlog.cpuSeconds(agent.pid)
    }

    static func configuration(mode: String) -> String {
        let figure = mode == "full" ? "unrestricted" : "quantity"
        return """
            [site]
            tenant = "bench"
            site = "dc-1"
            [mqtt]
            brokers = ["mqtt://127.0.0.1:1"]
            [agent]
            data_dir = "data"
            control_socket = "control.sock"
            [outbox]
            reserve = "0B"
            [[source]]
            name = "stock"
            kind = "drop"
            path = "in/stock_*.csv"
            complete = "renamed"
            mode = "\(mode)"
            format = { type = "csv", delimiter = ";" }
            [[source.event]]
            type = "\(mode == "full" ? "stock.level" : "stock.received")"
            sku = "item"
            location = "bin"
            lot = "lot"
            \(figure) = "decimal(qty)"
            """
    }
}
