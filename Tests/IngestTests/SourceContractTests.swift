import Foundation
import Ingest
import Inventory
import SeededRandom
import Testing

// What every kind of source keeps, whatever its files or tables do: each record once, in order, also through restarts
// and rotations; nothing before its end is there; a stop that never waits long. A new kind joins with one line in
// `SourceKind.all`.

/// How a kind's world is played: the tests know nothing else of it.
protocol PlayedSource: AnyObject {
    /// Appends whole records.
    func write(_ records: ClosedRange<Int>) throws
    /// Appends the first part of a record, or its rest.
    func writeTorn(_ record: Int, isRest: Bool) throws
    func rotate() throws
    /// The source as a start opens it, at the stored checkpoint or, `fresh`, at none.
    func open(fresh: Bool) throws -> SourcePipeline
    var export: Export { get }
}

struct SourceKind: Sendable, CustomTestStringConvertible {
    let name: String
    let make: @Sendable () throws -> any PlayedSource
    var testDescription: String { name }

    static let all = [
        SourceKind(name: "tail, renamed") { try PlayedTail(.rename) },
        SourceKind(name: "tail, copied and truncated") { try PlayedTail(.copyAndTruncate) },
        SourceKind(name: "tail, renamed and compressed") { try PlayedTail(.compress) },
        SourceKind(name: "tail, files of a pattern") { try PlayedTail(.pattern) },
    ]
}

private final class PlayedTail: PlayedSource {
    enum Rotation { case rename, copyAndTruncate, compress, pattern }

    let export: Export
    private let rotation: Rotation
    private var rotations = 0
    private var file: String { rotation == .pattern ? "moves-\(20_260_101 + rotations).csv" : "moves.csv" }

    init(_ rotation: Rotation) throws {
        export = try Export()
        self.rotation = rotation
        try begin()
    }

    private func begin() throws { try export.append("code;item;qty\n", to: file) }

    func write(_ records: ClosedRange<Int>) throws {
        try export.append(records.map { "RC;\($0);5\n" }.joined(), to: file)
    }

    func writeTorn(_ record: Int, isRest: Bool) throws {
        try export.append(isRest ? "\(record);5\n" : "RC;", to: file)
    }

    func rotate() throws {
        rotations += 1
        let rotated = "moves.csv-\(20_260_101 + rotations)"
        switch rotation {
        case .pattern: break
        case .rename: try export.rename(to: rotated)
        case .compress:
            try export.rename(to: rotated)
            try compress(export.directory + "/" + rotated)
        case .copyAndTruncate:
            try FileManager.default.copyItem(atPath: export.path, toPath: export.directory + "/" + rotated)
            try export.replace("")
        }
        try begin()
    }

    private func compress(_ path: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/gzip")
        process.arguments = [path]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    func open(fresh: Bool) throws -> SourcePipeline {
        try export.pipeline(fresh: fresh) { definition in
            if self.rotation == .pattern { definition.path = self.export.directory + "/moves-{yyyyMMdd}.csv" }
        }
    }
}

struct SourceContractTests {
    /// What is missing, there twice, or out of order.
    private func departures(_ found: [String], upTo last: Int) -> [String] {
        var departures: [String] = []
        var seen: Set<String> = []
        var before = 0
        for item in found {
            let number = Int(item) ?? 0
            if !seen.insert(item).inserted {
                departures.append("\(item) again after \(before)")
            } else if number < before {
                departures.append("\(item) late, after \(before)")
            }
            before = number
        }
        return departures + items(1...last).filter { !seen.contains($0) }.map { "\($0) lost" }
    }

    private func items(_ range: ClosedRange<Int>) -> [String] { range.map { "\($0)" } }

    @Test(arguments: SourceKind.all)
    func `a restart after each record loses and repeats none`(kind: SourceKind) throws {
        let source = try kind.make()
        for number in 1...20 {
            try source.write(number...number)
            #expect(skus(try source.export.drain(try source.open(fresh: false))) == ["\(number)"])
        }
    }

    @Test(arguments: SourceKind.all)
    func `records that were read and not committed come again, under the same ids`(kind: SourceKind) throws {
        let source = try kind.make()
        try source.write(1...3)
        _ = try source.export.drain(try source.open(fresh: false))
        try source.write(4...6)
        let lost = try source.open(fresh: false).read(maxBytes: 1 << 20, now: Timestamp(milliseconds: 0), monotonic: 0)
        let again = try source.export.drain(try source.open(fresh: false))
        #expect(skus(again) == items(4...6))
        #expect(again.map(\.identity) == lost.batch?.records.map(\.identity))
    }

    @Test(arguments: SourceKind.all, [false, true])
    func `every rotation is read to its end before what follows`(kind: SourceKind, restarts: Bool) throws {
        let source = try kind.make()
        var pipeline = try source.open(fresh: false)
        var found: [String] = []
        for round in 0..<6 {
            try source.write(round * 4 + 1...round * 4 + 2)
            found += skus(try source.export.drain(pipeline))
            try source.write(round * 4 + 3...round * 4 + 4)
            try source.rotate()
            if restarts { pipeline = try source.open(fresh: false) }
        }
        found += skus(try source.export.drain(pipeline))
        #expect(found == items(1...24))
    }

    @Test(arguments: SourceKind.all)
    func `a torn record waits for its rest`(kind: SourceKind) throws {
        let source = try kind.make()
        let pipeline = try source.open(fresh: false)
        try source.write(1...1)
        try source.writeTorn(2, isRest: false)
        #expect(skus(try source.export.drain(pipeline)) == ["1"])
        #expect(skus(try source.export.drain(try source.open(fresh: false))).isEmpty)
        try source.writeTorn(2, isRest: true)
        #expect(skus(try source.export.drain(pipeline)) == ["2"])
    }

    @Test(arguments: SourceKind.all)
    func `one read takes little, however much waits, so a stop is prompt`(kind: SourceKind) throws {
        let source = try kind.make()
        try source.write(1...30_000)
        let pipeline = try source.open(fresh: false)
        let read = try pipeline.read(maxBytes: 1 << 20, now: Timestamp(milliseconds: 0), monotonic: 0)
        #expect((1...2_000).contains(read.batch?.records.count ?? 0))
        #expect(read.more)
    }

    @Test(arguments: SourceKind.all)
    func `through a random life each record comes once and in order`(kind: SourceKind) throws {
        let seed =
            ProcessInfo.processInfo.environment["WAYBILL_SEED"].flatMap { UInt64($0) } ?? .random(in: 0...UInt64.max)
        print("contract: seed \(seed), \(kind.name)")
        var random = Seeded(seed)
        let source = try kind.make()
        var pipeline = try source.open(fresh: false)
        // What was rotated away before the first start is not this agent's.
        try source.write(1...1)
        var written = 1
        var found = skus(try source.export.drain(pipeline))
        for _ in 0..<150 {
            let move = Int.random(in: 0..<10, using: &random)
            switch move {
            case 0...4:
                let count = Int.random(in: 1...30, using: &random)
                try source.write(written + 1...written + count)
                written += count
            case 5: try source.rotate()
            case 6: pipeline = try source.open(fresh: false)
            default:
                // A read whose batch is not kept is a crash before the commit.
                if Int.random(in: 0..<6, using: &random) == 0 {
                    _ = try pipeline.read(maxBytes: 1 << 20, now: Timestamp(milliseconds: 0), monotonic: 0)
                    pipeline = try source.open(fresh: false)
                } else {
                    found += skus(try source.export.drain(pipeline))
                }
            }
        }
        found += skus(try source.export.drain(try source.open(fresh: false)))
        #expect(departures(found, upTo: written) == [], "seed \(seed)")
    }
}
