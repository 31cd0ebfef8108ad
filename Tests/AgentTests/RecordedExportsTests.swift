import Foundation
import Ingest
import Inventory
import Outbox
import Testing

@testable import Agent

// The stock reports that a real WMS wrote while it was driven (`recordings/greaterwms` beside the project), through the
// drop source into a real outbox.

struct RecordedExportsTests {
    private static let archive =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("shared/recordings/greaterwms/exports.tar.xz").path
    private static var isThere: Bool { FileManager.default.fileExists(atPath: archive) }

    /// A drop directory and an outbox behind it.
    private final class Life {
        let site: AgentSite
        let outbox: Outbox
        let configuration: Configuration
        var reader: (any SourceReader)?
        var clock: Int64 = 0
        var hold: SourceHoldNote?
        var decision: HoldDecision?

        init(goneLimit: Int = 60) throws {
            site = try AgentSite()
            try FileManager.default.createDirectory(
                atPath: site.directory + "/in", withIntermediateDirectories: true)
            configuration = try Configuration.parse(
                """
                [site]
                tenant = "acme"
                site = "dc-1"
                time_zone = "Asia/Shanghai"
                [mqtt]
                brokers = ["mqtt://127.0.0.1:1"]
                [agent]
                data_dir = "data"
                [[source]]
                name = "stock"
                kind = "drop"
                path = "in/stockbinlist_{yyyyMMddHHmmss}_*.csv"
                complete = "renamed"
                mode = "full"
                gone_limit = \(goneLimit)
                [[source.event]]
                type = "stock.level"
                sku = "\\"Goods Code\\""
                location = "\\"Bin Name\\""
                unrestricted = "case when \\"Bin Property\\" = 'Normal' then \\"Goods Qty\\" end"
                quarantined = "case when \\"Bin Property\\" = 'Inspection' then \\"Goods Qty\\" end"
                blocked = "case when \\"Bin Property\\" = 'Holding' then \\"Goods Qty\\" end"
                damaged = "case when \\"Bin Property\\" = 'Damage' then \\"Goods Qty\\" end"
                """, file: "agent.conf", directory: site.directory, environment: [:])
            outbox = try Outbox(configuration.outbox, now: Clocks.wall())
        }

        func drop(_ data: Data, as name: String) throws {
            try data.write(to: URL(fileURLWithPath: "\(site.directory)/in/.\(name)"))
            rename("\(site.directory)/in/.\(name)", "\(site.directory)/in/\(name)")
        }

        func drain() throws -> AppendResult {
            var total = AppendResult()
            for _ in 0..<10_000 {
                clock += 1_000
                if reader == nil {
                    reader = try configuration.sources[0].reader(
                        site: configuration.site, rules: configuration.inventory,
                        beginning: SourceBeginning(
                            checkpoint: outbox.checkpoint(of: "stock"), decision: decision, workClock: { 0 }))
                }
                let read = try #require(reader).read(maxBytes: 1 << 20, now: Clocks.wall(), monotonic: clock)
                hold = read.hold
                if let batch = read.batch {
                    let result = try outbox.append([batch], now: Clocks.wall())
                    reader?.committed(batch.checkpoint)
                    total.events += result.events
                    total.suppressed += result.suppressed
                    total.rejects += result.rejects
                }
                if !read.more { return total }
            }
            return total
        }

        /// The stock as the outbox has it, without what is zero.
        func stock() throws -> [String: String] {
            var stock: [String: String] = [:]
            var after: StockKey?
            let reader = try outbox.reader()
            while true {
                let page = try reader.stock(after: after, in: SnapshotScope(), limit: 500)
                for line in page.lines {
                    for bucket in Bucket.allCases {
                        guard let figure = line.balance[bucket], figure != .zero else { continue }
                        stock["\(line.key.sku)@\(line.key.location) \(bucket.name)"] = "\(figure)"
                    }
                }
                if page.isLast { return stock }
                after = page.scannedTo
            }
        }
    }

    private func exports() throws -> [(name: String, data: Data)] {
        let directory = NSTemporaryDirectory() + "wb-recorded-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/usr/bin/tar")
        tar.arguments = ["xJf", Self.archive, "-C", directory]
        try tar.run()
        tar.waitUntilExit()
        try #require(tar.terminationStatus == 0)
        let files = FileManager.default.enumerator(atPath: directory)?.compactMap { $0 as? String } ?? []
        return try files.filter { $0.contains("stockbinlist") }.sorted().map { file in
            (
                name: String(file.split(separator: "/").last ?? ""),
                data: try Data(contentsOf: URL(fileURLWithPath: directory + "/" + file))
            )
        }
    }

    private func truth(_ dump: Data) -> [String: String] {
        let buckets = [
            "Normal": "unrestricted", "Inspection": "quarantined", "Holding": "blocked", "Damage": "damaged",
        ]
        var sums: [String: Int] = [:]
        for line in String(decoding: dump, as: UTF8.self).split(whereSeparator: \.isNewline).dropFirst() {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            sums["\(fields[1])@\(fields[0]) \(buckets[fields[7]] ?? "?")", default: 0] += Int(fields[3]) ?? 0
        }
        return sums.filter { $0.value != 0 }.mapValues { "\($0)" }
    }

    @Test(.enabled(if: isThere, "the recording is not beside the project"))
    func `recorded exports in order, and twice, end as the last one says`() throws {
        let life = try Life()
        let exports = try exports()
        for export in exports {
            try life.drop(export.data, as: export.name)
            _ = try life.drain()
            #expect(life.hold == nil, "\(life.hold?.reason ?? "")")
            #expect(try life.stock() == truth(export.data), "\(export.name)")
        }
        let last = try #require(exports.last)
        try life.drop(last.data, as: "stockbinlist_20261124000000_00999.csv")
        #expect(try life.drain().events == 0)
        #expect(try life.stock() == truth(last.data))
    }

    @Test(.enabled(if: isThere, "the recording is not beside the project"))
    func `recorded exports out of order: what is older than the last is refused`() throws {
        let life = try Life()
        let exports = try exports()
        // The middle one first, then all that are older, then the rest backwards.
        let middle = exports.count / 2
        var refused = 0
        for index in [middle] + Array(0..<middle) + (middle + 1..<exports.count).reversed() {
            try life.drop(exports[index].data, as: exports[index].name)
            refused += try life.drain().rejects
        }
        #expect(refused == exports.count - 2)
        #expect(try life.stock() == truth(try #require(exports.last).data))
    }

    @Test(.enabled(if: isThere, "the recording is not beside the project"))
    func `a recorded export that was cut off is held, and the last good state stays`() throws {
        let life = try Life(goneLimit: 20)
        let exports = try exports()
        let (good, cut, next) = (exports[exports.count - 3], exports[exports.count - 2], exports[exports.count - 1])
        try life.drop(good.data, as: good.name)
        _ = try life.drain()
        let end = try #require(cut.data.prefix(cut.data.count / 5).lastIndex(of: 0x0A))
        try life.drop(cut.data.prefix(through: end), as: cut.name)
        #expect(try life.drain().events == 0)
        #expect(life.hold?.reason.contains("known keys are gone") == true)
        #expect(try life.stock() == truth(good.data))
        life.decision = HoldDecision(id: try #require(life.hold).id, isAccepted: false)
        life.reader = nil
        #expect(try life.drain().rejects == 1)
        try life.drop(next.data, as: next.name)
        _ = try life.drain()
        #expect(try life.stock() == truth(next.data))
    }
}
