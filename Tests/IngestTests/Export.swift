import Foundation
import Ingest
import Inventory
import Testing

/// A directory into which a legacy system exports, and the checkpoint that an agent would keep of it.
final class Export {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("waybill-\(UUID().uuidString)").path
    var path: String { directory + "/moves.csv" }
    private var checkpoint: Checkpoint?

    init() throws { try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func append(_ text: String, to file: String = "moves.csv") throws {
        let path = directory + "/" + file
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(text.utf8))
        try handle.close()
    }

    func append(bytes: [UInt8], to file: String = "moves.csv") throws {
        try append("", to: file)
        let handle = try #require(FileHandle(forWritingAtPath: directory + "/" + file))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(bytes))
        try handle.close()
    }

    func replace(_ text: String) throws {
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: Data(text.utf8))
        try handle.close()
    }

    func rename(to name: String) throws {
        try FileManager.default.moveItem(atPath: path, toPath: directory + "/" + name)
    }

    func pipeline(
        fresh: Bool = false, lostWith: String? = nil, _ change: (inout SourceDefinition) -> Void = { _ in }
    ) throws -> SourcePipeline {
        var format = FormatDefinition()
        format.delimiter = UInt8(ascii: ";")
        let fields: [MappingField: String] = [.when: "code = 'RC'", .sku: "item", .quantity: "decimal(qty, ',')"]
        let rule = EventRule(type: .received, also: false, expressions: fields.mapValues { Ingest.Expression(sql: $0) })
        let mapping = MappingDefinition(rules: [rule], ignores: [Ingest.Expression(sql: "code = 'XX'")])
        var definition = SourceDefinition(
            name: "moves", path: path, format: format, mapping: mapping, timeZone: "Europe/Berlin")
        change(&definition)
        let site = try #require(SiteIdentity(tenant: "acme", site: "dc-7"))
        definition.scratchDirectory = directory
        return try SourcePipeline(
            definition, site: site, rules: InventoryRules(), checkpoint: fresh ? nil : checkpoint, lostWith: lostWith)
    }

    /// Reads until there is no more, as the agent does, and keeps the checkpoint.
    func drain(_ pipeline: SourcePipeline, at monotonic: Int64 = 0) throws -> [CapturedRecord] {
        var records: [CapturedRecord] = []
        for _ in 0..<1_000 {
            let read = try pipeline.read(maxBytes: 1 << 20, now: Timestamp(milliseconds: 0), monotonic: monotonic)
            records += read.batch?.records ?? []
            if let batch = read.batch { checkpoint = batch.checkpoint }
            if !read.more { return records }
        }
        Issue.record("the source never came to an end")
        return records
    }
}

func skus(_ records: [CapturedRecord]) -> [String] {
    records.flatMap { record in
        if case .events(let drafts) = record.outcome { return drafts.map(\.sku) }
        if case .reject(let reason) = record.outcome { return ["!" + reason.code] }
        return ["-"]
    }
}
