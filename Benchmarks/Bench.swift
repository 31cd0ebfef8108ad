import Agent
import ArgumentParser
import FoundationEssentials
import Glibc

// The numbers of this project, with peers measured in the same run on the same machine: rows a second and CPU a row
// from an export to a subscriber, latency at a steady pace, capture while the broker is away, start, idle, size.
//
// Runs are interleaved (ours, peer, ours, …), since a noisy machine is compared with itself only; figures are medians.

@main
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "waybill-bench", abstract: "Measure the agent and its peers, export to subscriber.",
        discussion: """
            Examples:
              waybill-bench --program .build-release/release/waybill
              waybill-bench --program .build-release/release/waybill --runs 1 --lines 20000 --waiting 100000
            """)

    @Option(help: "The agent's release build.")
    var program = ".build-release/release/waybill"

    @Option(help: "Interleaved runs; the table shows medians.")
    var runs = 5

    @Option(help: "Lines waiting in the export of a throughput run.")
    var lines = 200_000

    @Option(help: "Events captured while the broker is away.")
    var waiting = 1_000_000

    @Option(help: "Seconds of the steady pace of 100 rows a second, and of the idle look.")
    var seconds = 20

    @Option(help: "Events of the replay.")
    var replayed = 100_000

    @Option(help: "Stock keys of the resync.")
    var keys = 200_000

    @Flag(help: "Only what the contract costs.")
    var contract = false

    @Option(help: "Rows of the full export; twice as many are measured too.")
    var rows = 1_000_000

    @Option(help: "Files of the full drop directory.")
    var files = 100_000

    @Flag(help: "Only what drop directories and full exports cost.")
    var drops = false

    @Flag(help: "Only what decoding and mapping cost.")
    var decode = false

    @Option(help: "Where the figures go as JSON.")
    var json = ".build-release/bench.json"

    func run() throws {
        guard access(program, X_OK) == 0 else { throw ValidationError("\(program) is not there; run: make release") }
        var table = FigureTable()
        let directory = try Scratch()
        if decode {
            try DecodeRates(directory: directory.path).run(into: &table)
            return print(table.text)
        }
        if !drops {
            try ContractMeasures(program: program, replayed: replayed, keys: keys, directory: directory.path)
                .run(into: &table)
        }
        if !contract { try measureDrops(directory.path, &table) }
        if !contract, !drops { try measureSpine(directory.path, &table) }
        print(table.text)
        try table.json.write(toFile: json, atomically: true, encoding: .utf8)
        print("as JSON: \(json)")
    }

    private func measureDrops(_ directory: String, _ table: inout FigureTable) throws {
        try DecodeRates(directory: directory).run(into: &table)
        try FullExports(program: program, rows: rows, directory: directory, bars: ("≤ 6", "≤ 64")).run(into: &table)
        try FullExports(program: program, rows: rows * 2, directory: directory, bars: ("≤ 12", "≤ 80"))
            .run(into: &table)
        func cpu(_ files: Int) throws -> Double {
            let times = try (0..<(files > 10_000 ? 1 : 3)).map { _ in
                try DropFiles(program: program, files: files, directory: directory).run()
            }
            return times.sorted()[times.count / 2]
        }
        let start = try cpu(1)
        for (files, bar) in [(1_000, ""), (10_000, ""), (files, "≤ the above")] {
            table.add(
                "drop directory with \(files) files waiting: CPU beside the start's",
                (try cpu(files) - start) * 1_000
                    / Double(files - 1), "ms a file", bar: bar)
        }
    }

    private func measureSpine(_ directory: String, _ table: inout FigureTable) throws {
        try Throughput(program: program, lines: lines, directory: directory).run(runs: runs, into: &table)
        try Latency(program: program, seconds: seconds, directory: directory).run(into: &table)
        try Backlog(program: program, events: waiting, idleSeconds: seconds, directory: directory)
            .run(into: &table)
        try SeenCost(directory: directory).run(into: &table)
        try EpochMove(events: waiting, directory: directory).run(into: &table)
        table.add("stripped binary", Double(try Self.strippedBytes(program, directory)) / 1e6, "MB", bar: "≤ 33.5")
    }

    private static func strippedBytes(_ program: String, _ directory: String) throws -> Int {
        let stripped = directory + "/stripped"
        let strip = try ChildProcess("/usr/bin/strip", ["-o", stripped, program], log: directory + "/strip.log")
        _ = strip.wait()
        var status = stat()
        guard stat(stripped, &status) == 0 else { return 0 }
        return Int(status.st_size)
    }
}

/// One temporary directory for all exports, outboxes and brokers; gone at the end.
final class Scratch {
    let path: String

    init() throws {
        var template = Array("/tmp/waybill-bench-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw ValidationError("cannot make a directory below /tmp") }
        path = String(cString: made)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Rows of the table, in the order of measuring.
struct FigureTable {
    struct Row: Codable {
        var measure: String
        var value: Double
        var unit: String
        var bar: String
    }

    private(set) var rows: [Row] = []

    mutating func add(_ measure: String, _ value: Double, _ unit: String, bar: String = "") {
        rows.append(Row(measure: measure, value: value, unit: unit, bar: bar))
        print(Self.line(rows[rows.count - 1]))
    }

    var text: String {
        (["", "| measure | figure | bar |", "|---|---|---|"] + rows.map(Self.line)).joined(separator: "\n")
    }

    var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            return String(decoding: try encoder.encode(["figures": rows]), as: UTF8.self) + "\n"
        }
    }

    private static func line(_ row: Row) -> String {
        "| \(row.measure) | \(short(row.value)) \(row.unit) | \(row.bar) |"
    }

    private static func short(_ value: Double) -> String {
        if abs(value) >= 100 { return String(Int(value.rounded())) }
        return String(Double(Int((value * 100).rounded())) / 100)
    }
}

func median(_ values: [Double]) -> Double { quantile(values, 0.5) }

/// The value that a share of all values does not exceed.
func quantile(_ values: [Double], _ share: Double) -> Double {
    guard !values.isEmpty else { return .nan }
    let sorted = values.sorted()
    return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
}
