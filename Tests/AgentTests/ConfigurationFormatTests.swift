import Agent
import Foundation
import Ingest
import Testing

/// `[source.format]`.
extension ConfigurationTests {
    /// What the default file cannot show beside another format.
    var grouped: String {
        """

        [[source]]
        name = "host"
        path = "host.txt"
        [source.format]
        type = "fixed"
        length = 20
        encoding = "cp037"
        record_type = "1-1"
        counts = "warn"
        [[source.format.record]]
        type = "H"
        role = "header"
        columns = ["document 2-9"]
        [[source.format.record]]
        type = "D"
        columns = ["sku 2-9", "qty 10-14 packed 2"]
        [[source.format.record]]
        type = "T"
        role = "trailer"
        columns = ["lines 2-5 packed", "total 6-12 packed 2"]
        count = { lines = "*" }
        sum = { total = "qty" }
        [[source.event]]
        type = "stock.received"
        sku = "sku"
        [[master]]
        name = "host_units"
        path = "units.txt"
        key = "sku"
        unit = "qty"
        numerator = "1"
        denominator = "1"
        [master.format]
        type = "fixed"
        length = 20
        encoding = "cp037"
        record_type = "1-1"
        counts = "warn"
        [[master.format.record]]
        type = "H"
        role = "header"
        columns = ["document 2-9"]
        [[master.format.record]]
        type = "D"
        columns = ["sku 2-9", "qty 10-14 packed 2"]
        [[master.format.record]]
        type = "T"
        role = "trailer"
        columns = ["lines 2-5 packed", "total 6-12 packed 2"]
        count = { lines = "*" }
        sum = { total = "qty" }
        """
    }

    @Test func `a format's record types, their columns and figures are read`() throws {
        let configuration = try Configuration.parse(minimal + grouped, file: "a", directory: "/d", environment: [:])
        let format = configuration.sources[1].format
        #expect(format.kind == .fixed && format.length == 20 && format.recordType == "1-1" && format.counts == .warn)
        #expect(
            format.layouts.map(\.type) == ["H", "D", "T"] && format.layouts.map(\.role) == [.header, .detail, .trailer])
        #expect(format.layouts[2].counts == ["lines": "*"] && format.layouts[2].sums == ["total": "qty"])
        #expect(try format.decoder().columns == ["record", "document", "sku", "qty"])
    }

    @Test func `each format that docs/formats.md shows can be read`() throws {
        let path = #filePath.components(separatedBy: "/Tests/")[0] + "/docs/formats.md"
        let blocks = try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "```toml\n").dropFirst()
        #expect(blocks.count == 3)
        for block in blocks.map({ $0.components(separatedBy: "```")[0] }) {
            let text = minimal.replacing("[[source.event]]", with: block + "[[source.event]]")
            #expect(problems(text) == [], "\(block)")
        }
    }

    @Test(arguments: [
        ("{ type = \"fixed\" }", "fixed has no columns"), ("{ type = \"jsonl\" }", "jsonl has no columns"),
        ("{ type = \"fixed\", columns = [\"sku 1-2\", \"qty 3-4 packed\"] }", "may look like a line end; give length"),
        ("{ type = \"fixed\", columns = [\"sku 9-2\"] }", "source.format.columns: column \"sku 9-2\""),
        ("{ type = \"fixed\", length = 4, columns = [\"sku 1-9\"] }", "ends at byte 9 of 4"),
        (
            "{ type = \"fixed\", header = true, columns = [\"sku 1-2\"] }",
            "source.format.header: belongs to csv, and this is fixed"
        ),
        ("{ type = \"jsonl\", delimiter = \";\", columns = [\"a\"] }", "source.format.delimiter: belongs to csv"),
        ("{ type = \"jsonl\", length = 4, columns = [\"a\"] }", "source.format.length: belongs to fixed"),
        ("{ type = \"jsonl\", record_type = \"1\", columns = [\"a\"] }", "belongs to csv and fixed"),
        ("{ counts = \"warn\" }", "source.format.counts: wants record_type"),
        ("{ record_type = \"1\", counts = \"maybe\" }", "\"maybe\" is none of reject, warn, ignore"),
        ("{ record_type = \"1\" }", "wants a [[source.format.record]]"),
        (
            "{ record_type = \"1\", header = true, record = [{ type = \"D\", columns = [\"a\"] }] }",
            "source.format.header: with record_type"
        ),
        (
            "{ record_type = \"1\", columns = [\"a\"], record = [{ type = \"D\", columns = [\"a\"] }] }",
            "source.format.columns: with record_type"
        ),
        (
            "{ record_type = \"1\", record = [{ type = \"H\", role = \"header\", columns = [\"a\"] }] }",
            "no record type is a detail"
        ),
        (
            "{ record_type = \"1\", record = [{ type = \"D\", columns = [\"a\"], count = { a = 1 } }] }",
            "source.format.record.count.a: wants text"
        ),
        (
            "{ record_type = \"1\", record = [{ type = \"D\", columns = [\"a\"], role = \"leader\" }] }",
            "is none of detail, header, trailer"
        ),
        ("{ record_type = \"1\", record = [{ typ = \"D\", columns = [\"a\"] }] }", "did you mean \"type\"?"),
        ("{ record_type = \"x\", record = [{ type = \"D\", columns = [\"a\"] }] }", "is no column's number"),
    ])
    func `a format that cannot be read is refused in words that say why`(format: String, words: String) {
        let found = problems(minimal.replacing("name = \"moves\"", with: "name = \"moves\"\nformat = \(format)"))
        #expect(found.contains { $0.contains(words) }, "\(found)")
    }
}
