import Agent
import CLinux
import FoundationEssentials
import Glibc
import Ingest
import Inventory

/// What decoding and mapping cost, without an outbox: rows a second of one core's time. The best of seven runs, since
/// what else runs on the machine can only take from it, and their median beside it.
struct DecodeRates {
    let directory: String
    private static let rows = 300_000
    private static let bar = "≥ 150000"

    func run(into table: inout FigureTable) throws {
        var csv = FormatDefinition()
        csv.delimiter = UInt8(ascii: ";")
        try measure("csv", csv, bar: Self.bar, into: &table) {
            "RC;\(10_000_000 + $0);A-\($0 % 400);\($0 % 977);EA;20261101"
        }
        var fixed = FormatDefinition()
        fixed.kind = .fixed
        fixed.columns = ["code 1-2", "item 3-12", "bin 13-20", "qty 21-30 zoned 2", "uom 31-33", "day 34-41"]
        guard (try? fixed.decoder()) != nil else { return }
        try measure("fixed", fixed, bar: Self.bar, into: &table) {
            "RC" + padded("\(10_000_000 + $0)", 10) + padded("A-\($0 % 400)", 8) + digits($0 % 977 * 100, 10)
                + "EA 20261101"
        }
        var jsonl = FormatDefinition()
        jsonl.kind = .jsonl
        jsonl.columns = ["code", "item", "bin", "qty", "uom"]
        try measure("jsonl", jsonl, into: &table) {
            #"{"code":"RC","item":"\#(10_000_000 + $0)","bin":"A-\#($0 % 400)","qty":\#($0 % 977),"uom":"EA"}"#
        }
        try measure("groups", groups(), into: &table) { row in
            let head = row % 100 == 0 ? "H;RC;A-\(row % 400)\n" : ""
            let tail = row % 100 == 99 ? "\nT;100" : ""
            return "\(head)D;\(10_000_000 + row);\(row % 977);EA\(tail)"
        }
    }

    /// A header for each hundred lines, and a trailer that counts them.
    private func groups() -> FormatDefinition {
        var groups = FormatDefinition()
        groups.delimiter = UInt8(ascii: ";")
        groups.hasHeader = false
        groups.recordType = "1"
        var trailer = RecordLayout(type: "T", role: .trailer, columns: ["kind", "lines"])
        trailer.counts = ["lines": "*"]
        groups.layouts = [
            RecordLayout(type: "H", role: .header, columns: ["kind", "code", "bin"]),
            RecordLayout(type: "D", role: .detail, columns: ["kind", "item", "qty", "uom"]), trailer,
        ]
        return groups
    }

    private func measure(
        _ name: String, _ format: FormatDefinition, bar: String = "", into table: inout FigureTable,
        _ line: (Int) -> String
    ) throws {
        let path = "\(directory)/decode-\(name)"
        var text: [UInt8] = name == "csv" ? Array("code;item;bin;qty;uom;day\n".utf8) : []
        for row in 0..<Self.rows { text += Array((line(row) + "\n").utf8) }
        try FileBytes.append(text, to: path)
        var rates: [Double] = []
        for _ in 0..<7 { rates.append(try rate(name, format, path)) }
        rates.sort()
        table.add("\(name), decoded and mapped", rates[6], "rows/s", bar: bar)
        table.add("\(name), the median of that", rates[3], "rows/s")
    }

    private func rate(_ name: String, _ format: FormatDefinition, _ path: String) throws -> Double {
        let fields: [MappingField: String] = [
            .when: "code = 'RC'", .sku: "trim(item)", .quantity: "decimal(qty)", .location: "trim(bin)",
            .uom: "trim(uom)",
        ]
        let rule = EventRule(type: .received, also: false, expressions: fields.mapValues { Expression(sql: $0) })
        let definition = SourceDefinition(
            name: name, path: path, format: format, mapping: MappingDefinition(rules: [rule]), timeZone: "UTC")
        guard let site = SiteIdentity(tenant: "bench", site: "dc-1") else { return 0 }
        let reader = try definition.reader(site: site, rules: InventoryRules(), beginning: SourceBeginning())
        let begun = Self.coreSeconds()
        var records = 0
        var more = true
        while more {
            let read = try reader.read(maxBytes: 1 << 20, now: Timestamp(milliseconds: 1_795_000_000_000), monotonic: 0)
            records += read.batch?.records.count ?? 0
            more = read.more
        }
        return Double(records) / (Self.coreSeconds() - begun)
    }

    private static func coreSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private func digits(_ number: Int, _ width: Int) -> String {
        let text = "\(number)"
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}
