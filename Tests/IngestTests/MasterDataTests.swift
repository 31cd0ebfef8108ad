import Foundation
import Ingest
import Inventory
import Testing

/// Master data that the WMS exports, as mappings look things up in it.
struct MasterDataTests {
    private let export: Export

    init() throws {
        export = try Export()
        try export.append("code;item;qty\n")
    }

    private func master(_ path: String, _ columns: [String], isUnits: Bool = false) -> MasterDefinition {
        var format = FormatDefinition()
        format.delimiter = UInt8(ascii: ";")
        return MasterDefinition(
            name: "items", path: export.directory + "/" + path, format: format,
            columns: columns.map { Ingest.Expression(sql: $0, file: "agent.conf", line: 7, column: 9) },
            isUnits: isUnits)
    }

    private func pipeline(_ master: MasterDefinition) throws -> SourcePipeline {
        try export.pipeline {
            $0.mapping.masters = [master]
            $0.mapping.rules[0].expressions[.uom] = Ingest.Expression(
                sql: master.isUnits ? "'CS'" : "lookup('items', item)")
        }
    }

    @Test func `the last file by name counts, by expressions, and a newer one once it stands still`() throws {
        try export.append("ITEM;UNIT\n 007 ;ST\n;KG\n", to: "items_20261101.csv")
        try export.append("ITEM;UNIT\n007;CS\n", to: "items_20261031.csv")
        let pipeline = try pipeline(master("items_{yyyyMMdd}.csv", ["nullif(trim(ITEM), '')", "UNIT"]))
        try export.append("RC;007;1\nRC;008;1\n")
        let records = try export.drain(pipeline)
        #expect(skus(records) == ["007", "!lookup"])
        guard case .events(let drafts)? = records.first?.outcome else { return }
        #expect(drafts[0].quantity?.unit == "ST")
        try export.append("ITEM;UNIT\n007;ST\n008;ST\n", to: "items_20261102.csv")
        try export.append("RC;008;2\n")
        #expect(skus(try export.drain(pipeline, at: 1_000)) == ["!lookup"])
        try export.append("RC;008;3\n")
        #expect(skus(try export.drain(pipeline, at: 2_000)) == ["008"])
    }

    @Test(arguments: ["ITEM;UNIT\n1;ST\n", "ITEM;UNIT\n1;ST\n2;ST;x;y\n3;ST\n4;ST\n", "ITEM\n1\n2\n3\n4\n"])
    func `a newer file that lacks most rows, or holds what cannot be read, is told and not taken`(newer: String) throws
    {
        try export.append("ITEM;UNIT\n1;ST\n2;ST\n3;ST\n4;ST\n", to: "items_1.csv")
        let pipeline = try pipeline(master("items_*.csv", ["ITEM", "UNIT"]))
        _ = try export.drain(pipeline)
        try export.append(newer, to: "items_2.csv")
        var notices: [String] = []
        for moment in [1_000, 2_000, 3_000, 4_000] as [Int64] {
            notices += try pipeline.read(maxBytes: 1 << 20, now: Timestamp(milliseconds: 0), monotonic: moment).notices
        }
        #expect(notices.count == 1 && notices[0].contains("items_2.csv") && notices[0].contains("stays"), "\(notices)")
        try export.append("RC;4;1\n")
        #expect(skus(try export.drain(pipeline, at: 5_000)) == ["4"])
        for name in ["items_1.csv", "items_2.csv"] {
            try FileManager.default.removeItem(atPath: export.directory + "/" + name)
        }
        notices = []
        for moment in [6_000, 7_000, 8_000, 9_000] as [Int64] {
            notices += try pipeline.read(maxBytes: 1 << 20, now: Timestamp(milliseconds: 0), monotonic: moment).notices
        }
        #expect(notices.count == 1 && notices[0].contains("is not there"), "\(notices)")
    }

    @Test func `master data that is not there, or an expression that does not fit it, keeps the source from starting`()
        throws
    {
        let absent = #expect(throws: IngestError.self) { try pipeline(master("items_*.csv", ["ITEM", "UNIT"])) }
        #expect(absent?.message.contains("items_*.csv") == true)
        try export.append("ITEM;UNIT\n1;ST\n", to: "items_1.csv")
        let wrong = #expect(throws: IngestError.self) { try pipeline(master("items_*.csv", ["ITEM", "UNTI"])) }
        #expect(
            wrong?.message.contains("agent.conf:7") == true && wrong?.hint == "did you mean \"UNIT\"?",
            "\(wrong as Any)")
    }

    @Test func `units from master data make base units`() throws {
        try export.append("ITEM;UNIT;FACTOR\n1;CS;12\n1;EA;1\n", to: "units.csv")
        let pipeline = try pipeline(master("units.csv", ["ITEM", "UNIT", "FACTOR", "1"], isUnits: true))
        try export.append("RC;1;2\n")
        guard case .events(let drafts)? = try export.drain(pipeline).first?.outcome else {
            Issue.record("no event")
            return
        }
        #expect(drafts[0].quantity?.value.description == "24" && drafts[0].quantity?.unit == "EA")
    }
}
