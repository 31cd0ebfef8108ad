import Foundation
import Ingest
import Inventory
import Synchronization
import Testing

/// Rotations that take more than a rename: compressed ones, files of a pattern, files that begin alike.
struct RotationTests {
    private let export: Export
    private let header = "code;item;qty\n"

    init() throws { export = try Export() }

    private func compress(_ file: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/gzip")
        process.arguments = [export.directory + "/" + file]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    private func patterned(_ change: (inout SourceDefinition) -> Void = { _ in }) throws -> SourcePipeline {
        try export.pipeline {
            $0.path = export.directory + "/moves-{yyyyMMdd}.csv"
            change(&$0)
        }
    }

    // MARK: compressed

    @Test func `a file that was compressed while the agent was down is read on where it stood`() throws {
        try export.append(header + "RC;1;5\n")
        _ = try export.drain(try export.pipeline())
        try export.append("RC;2;5\n")
        try export.rename(to: "moves.csv.1")
        try compress("moves.csv.1")
        try export.append(header + "RC;3;5\n")
        #expect(skus(try export.drain(try export.pipeline())) == ["2", "3"])
    }

    @Test func `several compressed rotations are read oldest first, each once`() throws {
        try export.append(header + "RC;1;5\n")
        _ = try export.drain(try export.pipeline())
        for number in 2...4 {
            try export.append("RC;\(number)a;5\n")
            try export.rename(to: "moves.csv.\(9 - number)")
            try compress("moves.csv.\(9 - number)")
            try export.append(header + "RC;\(number)b;5\n")
        }
        let wanted = ["2a", "2b", "3a", "3b", "4a", "4b"]
        #expect(skus(try export.drain(try export.pipeline())) == wanted)
        #expect(skus(try export.drain(try export.pipeline())).isEmpty)
    }

    @Test(arguments: [false, true])
    func `a file that was read and then compressed is not read again`(restarts: Bool) throws {
        var pipeline = try export.pipeline()
        try export.append(header + "RC;1;5\n")
        _ = try export.drain(pipeline)
        try export.rename(to: "moves.csv.1")
        try export.append(header + "RC;2;5\n")
        #expect(skus(try export.drain(pipeline)) == ["2"])
        try compress("moves.csv.1")
        try export.rename(to: "moves.csv.2")
        try export.append(header + "RC;3;5\n")
        if restarts { pipeline = try export.pipeline() }
        #expect(skus(try export.drain(pipeline)) == ["3"])
    }

    @Test func `a damaged compressed rotation is waited for, in words, and nothing passes it`() throws {
        try export.append(header + "RC;1;5\n")
        let pipeline = try export.pipeline()
        _ = try export.drain(pipeline)
        try export.append("RC;2;5\n")
        try export.rename(to: "moves.csv.2")
        try export.append(header + "RC;3;5\n")
        try export.rename(to: "moves.csv.1")
        try compress("moves.csv.1")
        let packed = export.directory + "/moves.csv.1.gz"
        let whole = try Data(contentsOf: URL(fileURLWithPath: packed))
        try (whole.dropLast(12) + [9, 9, 9, 9] + whole.suffix(8)).write(to: URL(fileURLWithPath: packed))
        try export.append(header + "RC;4;5\n")
        #expect(skus(try export.drain(pipeline)) == ["2"])
        let read = try pipeline.read(maxBytes: 1 << 20, now: Timestamp(milliseconds: 0), monotonic: 0)
        #expect(read.status.contains("moves.csv.1.gz cannot be expanded"))
        try whole.write(to: URL(fileURLWithPath: packed))
        #expect(skus(try export.drain(pipeline)) == ["3", "4"])
    }

    // MARK: alike

    @Test func `files that begin with the same long header are told apart`() throws {
        let columns = (0..<300).map { "column_\($0)" }.joined(separator: ";")
        let wide = "code;item;qty;\(columns)\n"
        let rest = String(repeating: ";", count: 300)
        let pipeline = try export.pipeline()
        try export.append(wide + "RC;1;5\(rest)\n")
        #expect(skus(try export.drain(pipeline)) == ["1"])
        for number in 2...3 {
            try export.rename(to: "moves.csv.\(9 - number)")
            try export.append(wide + "RC;\(number);5\(rest)\n")
        }
        #expect(skus(try export.drain(pipeline)) == ["2", "3"])
    }

    @Test func `a column that a later file has anew is told, over a restart too, and nothing is held`() throws {
        try export.append(header + "RC;1;5\n")
        _ = try export.drain(try export.pipeline())
        try export.rename(to: "moves.csv.1")
        try export.append("code;item;qty;operator\nRC;2;5;me\n")
        let pipeline = try export.pipeline()
        var notices: [String] = []
        var records: [CapturedRecord] = []
        for moment in 0..<6 as Range<Int64> {
            let read = try pipeline.read(maxBytes: 1 << 20, now: Timestamp(milliseconds: 0), monotonic: moment * 1_000)
            notices += read.notices
            records += read.batch?.records ?? []
        }
        #expect(notices == ["moves.csv has new columns: operator"])
        #expect(skus(records) == ["2"])
    }

    @Test func `lines that were seen and then truncated away are told as a loss`() throws {
        let pipeline = try export.pipeline()
        try export.append(header + "RC;1;5\nRC;2;")
        #expect(skus(try export.drain(pipeline)) == ["1"])
        try export.replace(header)
        let records = try export.drain(pipeline)
        guard case .events(let drafts)? = records.first?.outcome else { return #expect(Bool(false), "\(records)") }
        #expect(drafts.first?.type == .sourceLoss)
    }

    /// With many siblings a look takes long, and each time the file is renamed somewhere within it.
    @Test func `a file that is renamed while it is looked for after a start is not told as lost`() async throws {
        for number in 1...25 { try export.append(header + "RC;old;5\n", to: "moves.csv.\(1_000 + number)") }
        try export.append(header + "RC;0;5\n")
        _ = try export.drain(try export.pipeline())
        let (path, header) = (export.path, header)
        let looks = Atomic(0)
        let rotator = Task.detached {
            for number in 1...8 {
                while looks.load(ordering: .acquiring) < number { sched_yield() }
                for _ in 0..<number * 100 { sched_yield() }
                rename(path, "\(path).\(number)")
                try Data((header + "RC;\(number);5\n").utf8).write(to: URL(fileURLWithPath: path))
            }
        }
        var told: [String] = []
        for number in 1...8 {
            looks.store(number, ordering: .releasing)
            while told.count < number { told += skus(try export.drain(try export.pipeline())) }
        }
        _ = try await rotator.value
        #expect(told == (1...8).map(String.init))
    }

    // MARK: patterns

    @Test func `files of a pattern are read in the order of their names, each with its header`() throws {
        try export.append(header + "RC;3;5\n", to: "moves-20261103.csv")
        try export.append("item;code;qty\n1;RC;5\n", to: "moves-20261101.csv")
        try export.append(header + "RC;2;5\n", to: "moves-20261102.csv")
        try export.append(header + "RC;x;5\n", to: "other-20261102.csv")
        let pipeline = try patterned()
        #expect(skus(try export.drain(pipeline)) == ["1", "2", "3"])
        try export.append("RC;3b;5\n", to: "moves-20261103.csv")
        try export.append(header + "RC;4;5\n", to: "moves-20261104.csv")
        #expect(skus(try export.drain(pipeline)) == ["3b", "4"])
        try export.append("RC;3c;5\n", to: "moves-20261103.csv")
        #expect(skus(try export.drain(pipeline)) == ["3c"])
        #expect(skus(try export.drain(try patterned())).isEmpty)
    }

    @Test func `a pattern's files that came while the agent was down are all read`() throws {
        try export.append(header + "RC;1;5\n", to: "moves-20261101.csv")
        #expect(skus(try export.drain(try patterned())) == ["1"])
        try export.append("RC;1b;5\n", to: "moves-20261101.csv")
        for day in 2...30 {
            try export.append(header + "RC;\(day);5\n", to: "moves-202611\(day < 10 ? "0" : "")\(day).csv")
        }
        #expect(skus(try export.drain(try patterned())) == ["1b"] + (2...30).map { "\($0)" })
        #expect(skus(try export.drain(try patterned())).isEmpty)
    }

    @Test func `a pattern that begins at the end reads what comes, not what is there`() throws {
        try export.append(header + "RC;1;5\n", to: "moves-20261101.csv")
        try export.append(header + "RC;2;5\n", to: "moves-20261102.csv")
        let pipeline = try patterned { $0.startsAtEnd = true }
        #expect(skus(try export.drain(pipeline)).isEmpty)
        try export.append("RC;2b;5\n", to: "moves-20261102.csv")
        try export.append(header + "RC;3;5\n", to: "moves-20261103.csv")
        #expect(skus(try export.drain(pipeline)) == ["2b", "3"])
    }

    @Test func `a start date leaves out the files that were changed before it`() throws {
        for day in 1...3 {
            let name = "moves-2026110\(day).csv"
            try export.append(header + "RC;\(day);5\n", to: name)
            let changed = Date(timeIntervalSince1970: Double(day) * 86_400)
            try FileManager.default.setAttributes(
                [.modificationDate: changed], ofItemAtPath: export.directory + "/" + name)
        }
        let pipeline = try patterned { $0.startsAt = Timestamp(milliseconds: 2 * 86_400_000) }
        #expect(skus(try export.drain(pipeline)) == ["2", "3"])
    }

    @Test(arguments: [
        ("moves-*.csv", "moves-1.csv", true), ("moves-*.csv", "moves-.csv", true), ("moves-*.csv", "moves.csv", false),
        ("m?.csv", "ma.csv", true), ("m?.csv", "mab.csv", false), ("*a*b", "xaxxb", true), ("*a*b", "xaxxbc", false),
        ("m{yyyyMMdd}", "m20261101", true), ("m{yyyyMMdd}", "m2026110", false), ("m{yyyyMMdd}", "m2026110a", false),
    ])
    func `a pattern fits the names that it describes`(pattern: String, name: String, fits: Bool) throws {
        try export.append(header + "RC;1;5\n", to: name)
        let pipeline = try export.pipeline { $0.path = export.directory + "/" + pattern }
        #expect(skus(try export.drain(pipeline)) == (fits ? ["1"] : []))
    }

    @Test func `what a first start would read is known before it`() throws {
        var definition = SourceDefinition(
            name: "m", path: export.directory + "/moves-*.csv", format: FormatDefinition(),
            mapping: MappingDefinition(rules: []), timeZone: "UTC")
        #expect(FirstStart(definition) == nil)
        try export.append("12345", to: "moves-1.csv")
        try export.append("123", to: "moves-2.csv")
        #expect(FirstStart(definition)?.bytes == 8 && FirstStart(definition)?.files == 2)
        definition.startsAt = Timestamp(year: 9_000, month: 1, day: 1)
        #expect(FirstStart(definition)?.files == 0)
        definition.startsAt = nil
        definition.startsAtEnd = true
        #expect(FirstStart(definition)?.bytes == 0)
        definition.path = export.directory + "/moves-1.csv"
        definition.startsAtEnd = false
        #expect(FirstStart(definition)?.bytes == 5)
    }

    // MARK: ends

    @Test func `a quote that is open where a rotated file ends is a reject, not nothing`() throws {
        let pipeline = try export.pipeline()
        try export.append(header + "RC;1;5\nRC;\"2;5\n")
        _ = try export.drain(pipeline)
        try export.rename(to: "moves.csv.1")
        try export.append(header + "RC;3;5\n")
        #expect(skus(try export.drain(pipeline)) == ["3"])
        #expect(skus(try export.drain(pipeline, at: 60_000)) == ["!quote"])
    }

    @Test func `many late lines of a rotated file are all read before it is left`() throws {
        let pipeline = try export.pipeline()
        try export.append(header + "RC;0;5\n")
        _ = try export.drain(pipeline)
        try export.rename(to: "moves.csv.1")
        try export.append(header + "RC;x;5\n")
        _ = try export.drain(pipeline)
        try export.append((1...60_000).map { "RC;\($0);5\n" }.joined(), to: "moves.csv.1")
        let late = skus(try export.drain(pipeline, at: 120_000))
        #expect(late == (1...60_000).map { "\($0)" }, "\(late.count) \(late.first ?? "") \(late.last ?? "")")
    }

    @Test func `a hole of more than a line's length waits for its data too`() throws {
        let pipeline = try export.pipeline()
        let hole = [UInt8](repeating: 0, count: 3 << 19)
        try export.append(header + "RC;1;5\n")
        try export.append(bytes: hole)
        #expect(skus(try export.drain(pipeline)) == ["1"])
        let rest = "RC;2;5\n" + String(repeating: "RC;3;5\n", count: 9)
        try export.replace(header + "RC;1;5\n" + rest)
        #expect(skus(try export.drain(pipeline, at: 1_000)) == ["2"] + Array(repeating: "3", count: 9))
        #expect(skus(try export.drain(pipeline, at: 90_000)).isEmpty)
    }
}
