import Foundation
import Ingest
import Inventory
import Testing

@testable import Agent

/// Every flat file of the samples beside the project, dropped as a whole: each ends as events, as rejects with a reason,
/// or as a refused file with a reason. `make samples` prints the table.
struct SamplesTests {
    private static let directory =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/samples/flat").path
    private static var isThere: Bool { FileManager.default.fileExists(atPath: directory) }

    private static let vda =
        ["711", "712", "713"].map { layout($0, "header", "\"r\($0) 1-3\"") }.joined()
        + layout("714", "detail", "\"part 6-27\", \"qty 46-58\"")
        + ["715", "716", "717", "718"].map { layout($0, "detail", "\"r\($0) 1-3\"") }.joined()
        + layout("719", "trailer", "\"r719 1-3\"")

    private static func layout(_ type: String, _ role: String, _ columns: String) -> String {
        "\n[[source.format.record]]\ntype = \"\(type)\"\nrole = \"\(role)\"\ncolumns = [\(columns)]"
    }

    private static let formats: [String: (format: String, rule: String)] = [
        "csv_pipelines.csv": ("type = \"csv\"", "sku = \"UPC_NUMBER\"\nquantity = \"decimal(QUANTITY)\""),
        "csv_variable_record.csv": (
            "type = \"csv\"\nheader = false\nrecord_type = \"1\"\n[[source.format.record]]\ntype = \"book\"\nrole = \"detail\"\n"
                + "columns = [\"kind\", \"title\", \"author\"]",
            "sku = \"title\"\nquantity = \"1\""
        ),
        "fixed_length_smooks.txt": (
            "type = \"fixed\"\ncolumns = [\"name 1-20\", \"age 47-49\"]",
            "sku = \"trim(name)\"\nquantity = \"decimal(age)\""
        ),
        "vda_4913_fixed128.edi": (
            "type = \"fixed\"\nrecord_type = \"1-3\"" + vda,
            "when = \"record = '714'\"\nsku = \"trim(part)\"\nquantity = \"decimal(qty, '.', 3)\""
        ),
        "flatfile_regex.log": (
            "type = \"csv\"\nheader = false\ndelimiter = \" \"\ncolumns = [\"time\", \"level\", \"text\"]",
            "sku = \"text\"\nquantity = \"1\""
        ),
    ]

    private func outcomes(of file: String) throws -> [String: Int] {
        let site = try AgentSite()
        let (format, rule) = Self.formats[file] ?? ("type = \"csv\"", "sku = \"item\"\nquantity = \"1\"")
        try FileManager.default.createDirectory(atPath: site.directory + "/in", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: site.directory + "/data", withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: "\(Self.directory)/\(file)", toPath: "\(site.directory)/in/\(file)")
        let configuration = try Configuration.parse(
            """
            [site]
            tenant = "acme"
            site = "dc-1"
            [mqtt]
            brokers = ["mqtt://127.0.0.1:1"]
            [agent]
            data_dir = "data"
            [[source]]
            name = "sample"
            kind = "drop"
            path = "in/*"
            complete = "renamed"
            [source.format]
            \(format)
            [[source.event]]
            type = "stock.adjusted"
            \(rule)
            """, file: "agent.conf", directory: site.directory, environment: [:])
        let reader = try configuration.sources[0].reader(
            site: configuration.site, rules: configuration.inventory, beginning: SourceBeginning(workClock: { 0 }))
        var found: [String: Int] = [:]
        for look in 1...200 {
            let read = try reader.read(maxBytes: 1 << 20, now: Clocks.wall(), monotonic: Int64(look) * 1_000)
            for record in read.batch?.records ?? [] {
                switch record.outcome {
                case .events(let drafts): found["events", default: 0] += drafts.count
                case .reject(let reason): found[reason.code, default: 0] += 1
                case .ignored: found["ignored", default: 0] += 1
                }
            }
            if !read.more { break }
        }
        return found
    }

    @Test(.enabled(if: isThere, "the samples are not beside the project"))
    func `every sample ends as events, rejects or a refusal, none as nothing`() throws {
        for file in try FileManager.default.contentsOfDirectory(atPath: Self.directory).sorted() {
            let found = try outcomes(of: file)
            let words = found.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
            print("sample: \(file): \(words)")
            #expect(!found.isEmpty, "\(file)")
        }
    }
}
