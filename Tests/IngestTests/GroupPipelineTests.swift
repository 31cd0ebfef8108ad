import Ingest
import Inventory
import Testing

/// Record groups through a tail: over restarts, at its end, and what becomes of their rejects.
struct GroupPipelineTests {
    private func pipeline(
        _ export: Export, fresh: Bool = false, counts: FormatDefinition.CountPolicy = .reject, atEnd: Bool = false
    ) throws -> SourcePipeline {
        try export.pipeline(fresh: fresh) {
            $0.startsAtEnd = atEnd
            $0.format.hasHeader = false
            $0.format.recordType = "1"
            $0.format.counts = counts
            var end = RecordLayout(type: "T", role: .trailer, columns: ["kind", "lines"])
            end.counts = ["lines": "*"]
            $0.format.layouts = [
                RecordLayout(type: "H", role: .header, columns: ["kind", "document"]),
                RecordLayout(type: "D", role: .detail, columns: ["kind", "item", "qty"]), end,
            ]
            let fields: [MappingField: String] = [.sku: "document || ':' || item", .quantity: "decimal(qty)"]
            let rule = EventRule(
                type: .received, also: false, expressions: fields.mapValues { Ingest.Expression(sql: $0) })
            $0.mapping = MappingDefinition(rules: [rule], ignores: [])
        }
    }

    @Test func `restarted after every byte, headers and counts go on`() throws {
        let export = try Export()
        var records: [CapturedRecord] = []
        for byte in "H;d1\nD;a;1\nD;b;2\nT;2\nH;d2\nD;c;3\nT;2\n".utf8 {
            try export.append(bytes: [byte])
            records += try export.drain(try pipeline(export))
        }
        #expect(skus(records) == ["d1:a", "d1:b", "d2:c", "!count"])
    }

    @Test func `a source that begins at the end stands under the header that is there`() throws {
        let export = try Export()
        try export.append("H;d1\nD;a;1\nH;d2\nD;b;2\n")
        #expect(skus(try export.drain(try pipeline(export, atEnd: true))) == [])
        try export.append("D;c;3\nT;3\n")
        #expect(skus(try export.drain(try pipeline(export, atEnd: true))) == ["d2:c"])
    }

    @Test func `a rotated file without its trailer is told as truncated when nothing more is awaited`() throws {
        let export = try Export()
        let reader = try pipeline(export)
        try export.append("H;d1\nD;a;1\n")
        #expect(skus(try export.drain(reader)) == ["d1:a"])
        try export.rename(to: "moves.csv-20260102")
        try export.append("H;d2\nD;b;1\nT;1\n")
        #expect(skus(try export.drain(reader, at: 2_000)) == ["d2:b"])
        #expect(skus(try export.drain(reader, at: 100_000)) == ["!truncated"])
        #expect(skus(try export.drain(reader, at: 200_000)) == [])
    }

    @Test func `a trailer that does not fit is a notice where the policy warns`() throws {
        let export = try Export()
        try export.append("H;d1\nD;a;1\nT;7\n")
        let read = try pipeline(export, counts: .warn).read(
            maxBytes: 1 << 20, now: Timestamp(milliseconds: 0), monotonic: 0)
        #expect(read.batch?.records.count == 1)
        #expect(read.notices == ["moves.csv: trailer \"T\": lines says 7, and there were 1 (byte 11)"])
    }

    @Test func `a reject is read again under its own header, whatever the file is at now`() throws {
        let export = try Export()
        try export.append("H;d1\nD;a;many\nH;d2\nD;b;2\nT;2\n")
        let reader = try pipeline(export)
        let bad = try #require(try export.drain(reader).first)
        #expect(bad.bytes.elementsEqual("H;d1\nD;a;many".utf8))
        let mended = try reader.remap(
            Array("H;d1\nD;a;5".utf8), identity: bad.identity.text, position: bad.position.description,
            now: Timestamp(milliseconds: 0))
        #expect(skus([mended]) == ["d1:a"] && mended.position == bad.position)
    }
}
