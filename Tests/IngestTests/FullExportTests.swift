import Foundation
import Ingest
import Inventory
import SQLite
import SeededRandom
import Testing

struct FullExportTests {
    private let site: DropSite
    private let header = "item;bin;qty\n"

    init() throws {
        site = try DropSite()
        site.pattern = "stock_{yyyyMMdd}.csv"
        site.makeFull()
    }

    private func dump(_ day: Int, _ rows: [String], header: String = "item;bin;qty\n") throws {
        try site.drop(header + rows.map { $0 + "\n" }.joined(), as: "stock_\(20_261_100 + day).csv")
    }

    private func hundred(_ change: (Int) -> Int = { $0 }) -> [String] { (1...100).map { "S\($0);A;\(change($0))" } }

    @Test func `the first export tells every key, the next one what changed, came and went`() throws {
        try dump(1, ["S1;A;5", "S2;A;7", "S3;B;1", "S4;A;1", "S5;A;1", "S6;A;1"])
        #expect(levels(try site.drain()) == ["S1@A=5", "S2@A=7", "S3@B=1", "S4@A=1", "S5@A=1", "S6@A=1"])
        try dump(2, ["S1;A;5", "S2;A;8", "S4;A;1", "S5;A;1", "S6;A;1", "S7;C;2"])
        #expect(levels(try site.drain()) == ["S2@A=8", "S3@B=0", "S7@C=2"])
        try dump(3, ["S1;A;5", "S2;A;8", "S4;A;1", "S5;A;1", "S6;A;1", "S7;C;2"])
        #expect(levels(try site.drain()).isEmpty)
    }

    @Test func `several rows of a key are summed, in any order and however they are quoted`() throws {
        site.makeFull { $0.goneLimit = 60 }
        try dump(1, ["S1;A;5", "S1;A;7", "S1;A;5"])
        #expect(levels(try site.drain()) == ["S1@A=17"])
        try dump(2, ["S1;A;5", "\"S1\";A;5", "S1;A;7"])
        #expect(levels(try site.drain()).isEmpty)
        try dump(3, ["S1;A;5", "S1;A;7"])
        #expect(levels(try site.drain()) == ["S1@A=12"])
    }

    @Test func `a bucket that no row of the key names any more is zero`() throws {
        site.makeFull { $0.goneLimit = 60 }
        site.fields[.unrestricted] = "case when code = 'N' then qty end"
        site.fields[.damaged] = "case when code = 'D' then qty end"
        try dump(1, ["S1;A;N;5", "S1;A;D;2"], header: "item;bin;code;qty\n")
        #expect(levels(try site.drain()) == ["S1@A=5,2"])
        try dump(2, ["S1;A;N;5"], header: "item;bin;code;qty\n")
        #expect(levels(try site.drain()) == ["S1@A=5,0"])
    }

    @Test func `an older export is refused, and the last good state stays`() throws {
        try dump(2, ["S1;A;5"])
        _ = try site.drain()
        try dump(1, ["S1;A;4"])
        #expect(levels(try site.drain()) == ["!file_older"])
        try dump(3, ["S1;A;6"])
        #expect(levels(try site.drain()) == ["S1@A=6"])
    }

    @Test func `an export with 30 percent of its rows is held, and one word decides`() throws {
        try dump(1, hundred())
        _ = try site.drain()
        try dump(2, Array(hundred().prefix(30)))
        #expect(levels(try site.drain()).isEmpty)
        #expect(site.last?.status.contains("70 of 100 known keys are gone, more than 20 %") == true)
        site.restart()
        #expect(levels(try site.drain()).isEmpty)
        try site.decide(false)
        #expect(levels(try site.drain()) == ["!file_rejected"])
        try dump(3, hundred { $0 == 7 ? 70 : $0 })
        #expect(levels(try site.drain()) == ["S7@A=70"])
        try dump(4, Array(hundred().prefix(30)))
        _ = try site.drain()
        try site.decide(true)
        #expect(levels(try site.drain()).count == 71)
    }

    @Test func `an export with fewer rows of the same keys is held, since its sums would be smaller`() throws {
        try dump(1, ["S1;A;5", "S1;A;7", "S1;A;1", "S2;A;1"])
        _ = try site.drain()
        try dump(2, ["S1;A;5", "S2;A;1"])
        #expect(levels(try site.drain()).isEmpty)
        #expect(site.last?.status.contains("it has 2 rows, and the last one had 4") == true)
    }

    @Test func `an export that ends within a line is held where none did before`() throws {
        try dump(1, ["S1;A;5", "S2;A;1234"])
        _ = try site.drain()
        try site.drop("item;bin;qty\nS1;A;5\nS2;A;12", as: "stock_20261102.csv")
        #expect(levels(try site.drain()).isEmpty)
        #expect(site.last?.status.contains("ends in the middle of a line") == true)
        try site.decide(true)
        #expect(levels(try site.drain()) == ["S2@A=12"])
    }

    @Test func `an empty export is held`() throws {
        try dump(1, ["S1;A;5"])
        _ = try site.drain()
        try dump(2, [])
        #expect(levels(try site.drain()).isEmpty)
        #expect(site.last?.hold != nil)
    }

    @Test func `what is missing stays where missing means unchanged`() throws {
        site.makeFull { $0.missing = .unchanged }
        try dump(1, ["S1;A;5", "S2;A;5", "S2;A;1"])
        _ = try site.drain()
        try dump(2, ["S2;A;4"])
        #expect(levels(try site.drain()) == ["S2@A=4"])
        try dump(3, ["S1;A;6"])
        #expect(levels(try site.drain()) == ["S1@A=6"])
    }

    @Test func `a row that cannot be read leaves its key as it was, and is told once`() throws {
        try dump(1, ["S1;A;5", "S2;A;7", "S3;A;1"])
        _ = try site.drain()
        try dump(2, ["S1;A;x", "S2;A;8", "S3;A;1"])
        #expect(levels(try site.drain()) == ["!quantity", "S2@A=8"])
        try dump(3, ["S1;A;x", "S2;A;9", "S3;A;1"])
        #expect(levels(try site.drain()) == ["S2@A=9"])
        try dump(4, ["S1;A;6", "S2;A;9", "S3;A;1"])
        #expect(levels(try site.drain()) == ["S1@A=6"])
    }

    @Test func `while a row names no key, no key counts as gone`() throws {
        site.makeFull { $0.goneLimit = 100 }
        try dump(1, ["S1;A;5", "S2;A;7", "S3;A;1"])
        _ = try site.drain()
        try dump(2, ["S1;A;5", "S2;A;8", ";A;1"])
        #expect(levels(try site.drain()) == ["!sku", "S2@A=8"])
        try dump(3, ["S1;A;5", "S2;A;8"])
        #expect(levels(try site.drain()) == ["S3@A=0"])
    }

    @Test func `a new column changes nothing, a lost one stops the source`() throws {
        try dump(1, ["S1;A;5", "S2;A;7"])
        _ = try site.drain()
        try dump(2, ["S1;A;5;x", "S2;A;8;x"], header: "item;bin;qty;colour\n")
        #expect(levels(try site.drain()) == ["S2@A=8"])
        #expect(site.notices.contains { $0.contains("colour") })
        try dump(3, ["S1;5", "S2;8"], header: "item;qty\n")
        #expect(throws: IngestError.self) { try site.drain() }
    }

    @Test func `parts form one export once all are there`() throws {
        site.pattern = "stock_{yyyyMMdd}_{part}of{parts}.csv"
        try site.drop(header + "S1;A;5\n", as: "stock_20261101_1of2.csv")
        #expect(levels(try site.drain()).isEmpty)
        #expect(site.last?.status.contains("1 of 2 parts") == true)
        try site.drop(header + "S2;A;6\n", as: "stock_20261101_2of2.csv")
        #expect(levels(try site.drain()) == ["S1@A=5", "S2@A=6"])
        try site.drop(header + "S2;A;6\n", as: "stock_20261102_1of2.csv")
        try site.drop(header + "S1;A;7\n", as: "stock_20261102_2of2.csv")
        #expect(levels(try site.drain()) == ["S1@A=7"])
    }

    @Test func `rows that went are forgotten once their going is committed, however many`() throws {
        site.makeFull { $0.goneLimit = 100 }
        try dump(1, (1...5_000).map { "S\($0);A;1" })
        _ = try site.drain()
        try dump(2, (1...5_000).map { "S\($0);A;2" })
        _ = try site.drain()
        // In quiet moments.
        _ = try site.drain()
        site.restart()
        let memory = try Connection(path: site.data + "/source-stock.sqlite", mode: .readOnly)
        #expect(try memory.integer("SELECT count(*) FROM rows") == 5_000)
    }

    @Test func `a kill anywhere loses and repeats nothing`() throws {
        let seed =
            ProcessInfo.processInfo.environment["WAYBILL_SEED"].flatMap { UInt64($0) } ?? .random(in: 0...UInt64.max)
        print("full exports: seed \(seed)")
        var random = Seeded(seed)
        site.makeFull { $0.goneLimit = 100 }
        site.pattern = "stock_{yyyyMMdd}.csv"
        var told: [String: String] = [:]
        var world: [String: Int] = [:]
        for day in 1...12 {
            for _ in 0..<200 {
                let key = "S\(Int.random(in: 0..<1_500, using: &random))"
                world[key] = Int.random(in: 0..<5, using: &random) == 0 ? nil : Int.random(in: 0..<100, using: &random)
            }
            try dump(day, world.shuffled(using: &random).map { "\($0.key);A;\($0.value)" })
            var isDone = false
            while !isDone {
                site.clock += 1_000
                if Int.random(in: 0..<8, using: &random) == 0 {
                    _ = try site.read(commits: false)
                    site.restart()
                    continue
                }
                let read = try site.read()
                for level in levels(read.batch?.records ?? []) {
                    let parts = level.split(separator: "=").map(String.init)
                    // A key that comes back as zero is told by the source, and passed over by the outbox.
                    #expect(told[parts[0]] != parts[1] || parts[1] == "0", "\(level) was told before, seed \(seed)")
                    told[parts[0]] = parts[1]
                }
                isDone = !read.more
            }
            let there = told.filter { $0.value != "0" || world[String($0.key.dropLast(2))] == 0 }
            #expect(
                there == Dictionary(uniqueKeysWithValues: world.map { ("\($0.key)@A", "\($0.value)") }), "seed \(seed)")
        }
    }
}
