import Ingest
import Inventory
import Testing

/// Formats other than csv through a tail, which they take no notice of.
struct FormatPipelineTests {
    struct Written: Sendable, CustomTestStringConvertible {
        let name: String
        let format: FormatDefinition
        let bytes: [UInt8]
        let skus: [String]
        var testDescription: String { name }
    }

    static let all = [
        Written(
            name: "a host's records", format: HostFile.format, bytes: HostFile.bytes, skus: ["A-1", "B 22", "!number"]),
        Written(
            name: "lines by position", format: definition(.fixed, ["code 1-2", "sku 3-6", "qty 7-9 zoned"]),
            bytes: Array("RCA-1 012\nRCB\nRCC-22 17\n".utf8), skus: ["A-1", "!quantity", "C-22"]),
        Written(
            name: "JSON lines", format: definition(.jsonl, ["code", "sku", "qty"]),
            bytes: Array("{\"sku\":\"A\\u002d1\",\"qty\":1}\n\n{]\n{\"sku\":\"C\",\"qty\":2.5}\n".utf8),
            skus: ["A-1", "!json", "C"]),
        Written(
            name: "titles, a page's end and a footer", format: titled,
            bytes: Array("Stock list;\"of\n\ncode;sku;qty\nRC;A-1;1\n# page 2\nRC;\"B\n# 2\";2\nSUM;2 rows\n".utf8),
            skus: ["A-1", "B\n# 2"]),
    ]

    private static var titled: FormatDefinition {
        var format = definition(.csv, [])
        format.delimiter = UInt8(ascii: ";")
        format.skippedLines = 2
        format.ignoredLines = ["#", "SUM;"]
        return format
    }

    @Test func `a file that ends within its titles is told, and a reject of its first line can be read again`() throws {
        let export = try Export()
        try export.append(bytes: Array("Stock list\n".utf8))
        let reader = try pipeline(export, Written(name: "", format: Self.titled, bytes: [], skus: []))
        #expect(try export.drain(reader).isEmpty)
        try export.rename(to: "moves.csv-20260102")
        try export.append(bytes: Array("x\ny\ncode;sku;qty\nRC;A;many\n".utf8))
        let records = try export.drain(reader, at: 600_000)
        #expect(skus(records) == ["!truncated", "!quantity"])
        let again = try reader.remap(
            Array("RC;A;3".utf8), identity: "i", position: "moves.csv:0", now: Timestamp(milliseconds: 0))
        #expect(skus([again]) == ["A"])
    }

    private func pipeline(_ export: Export, _ written: Written) throws -> SourcePipeline {
        try export.pipeline {
            $0.format = written.format
            let fields: [MappingField: String] = [.sku: "sku", .quantity: "decimal(qty)"]
            let rule = EventRule(
                type: .adjusted, also: false, expressions: fields.mapValues { Ingest.Expression(sql: $0) })
            $0.mapping = MappingDefinition(rules: [rule], ignores: [Ingest.Expression(sql: "sku = ''")])
            $0.mapping.rules[0].expressions[.when] = Ingest.Expression(sql: "sku <> ''")
        }
    }

    @Test(arguments: all)
    func `restarted after every byte, nothing is lost or repeated`(written: Written) throws {
        let whole = try Export()
        try whole.append(bytes: written.bytes)
        let wanted = try whole.drain(try pipeline(whole, written))
        let export = try Export()
        var records: [CapturedRecord] = []
        for byte in written.bytes {
            try export.append(bytes: [byte])
            records += try export.drain(try pipeline(export, written))
        }
        #expect(skus(records) == skus(wanted) && records.map(\.position) == wanted.map(\.position))
        #expect(skus(records).filter { $0 != "-" } == written.skus)
    }

    @Test func `what a transfer leaves behind the last record is none, and half a record is told`() throws {
        for (rest, last) in [([0x0D, 0x0A, 0x1A], []), ([0xC1, 0x0A], ["!truncated"])] as [([UInt8], [String])] {
            let export = try Export()
            let written = Self.all[0]
            try export.append(bytes: Array(written.bytes.prefix(22)) + rest)
            let reader = try pipeline(export, written)
            #expect(skus(try export.drain(reader)) == ["A-1"])
            try export.rename(to: "moves.csv-20260102")
            try export.append(bytes: Array(written.bytes.prefix(22)))
            #expect(skus(try export.drain(reader, at: 2_000)) == ["A-1"])
            #expect(skus(try export.drain(reader, at: 100_000)) == last)
        }
    }

    @Test func `an empty column is an empty text to the mapping, not a missing one`() throws {
        let export = try Export()
        try export.append("     \n")
        let reader = try export.pipeline {
            $0.format = definition(.fixed, ["sku 1-3", "qty 4-5 zoned"])
            let fields: [MappingField: String] = [
                .sku: "case when sku is null or qty is null then 'missing' else 'empty' end", .quantity: "'1'",
            ]
            let rule = EventRule(
                type: .adjusted, also: false, expressions: fields.mapValues { Ingest.Expression(sql: $0) })
            $0.mapping = MappingDefinition(rules: [rule], ignores: [])
        }
        #expect(skus(try export.drain(reader)) == ["empty"])
    }
}
