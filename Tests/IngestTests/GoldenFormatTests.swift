import Foundation
import Ingest
import Inventory
import Testing

/// `Tests/Fixtures/formats/<case>.input` is what a system wrote, `<case>.expected.json` what becomes of it.
struct GoldenFormatTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let format: FormatDefinition
        var testDescription: String { name }
    }

    private struct Outcome: Codable, Equatable {
        var columns: [String]
        var items: [Item]
    }

    private struct Item: Codable, Equatable {
        var offset: Int64?
        var record: [String: String]?
        var reject: String?
        var notice: String?
    }

    static let cases = [
        Case(name: "csv", format: definition(.csv, []) { $0.delimiter = UInt8(ascii: ";") }),
        Case(name: "csv-groups", format: groups),
        Case(name: "fixed-ascii", format: definition(.fixed, asciiColumns) { $0.encoding = "cp1252" }),
        Case(name: "fixed-ebcdic", format: HostFile.format), Case(name: "fixed-groups", format: dispatch),
        Case(name: "jsonl", format: definition(.jsonl, ["id", "item.sku", "item.lots", "lines.0.qty", "done"])),
    ]

    private static let asciiColumns = ["code 1-2", "sku 3-12", "name 13-24", "qty 25-31 zoned 2", "bin 32-37"]

    /// Orders of lines, with a control total for each file.
    private static let groups = definition(.csv, []) {
        $0.hasHeader = false
        $0.delimiter = UInt8(ascii: "|")
        $0.recordType = "1"
        var end = RecordLayout(type: "END", role: .trailer, columns: ["type", "orders", "lines", "records", "pieces"])
        end.counts = ["orders": "ORD", "lines": "*", "records": "+"]
        end.sums = ["pieces": "qty"]
        $0.layouts = [
            RecordLayout(type: "FIL", role: .header, columns: ["type", "warehouse", "created"]),
            RecordLayout(type: "ORD", role: .header, columns: ["type", "order", "customer"]),
            RecordLayout(type: "LIN", role: .detail, columns: ["type", "line", "sku", "qty"]),
            RecordLayout(type: "COM", role: .detail, columns: ["type", "text"]), end,
        ]
    }

    /// Delivery notes by position; a trailer that is off is told only.
    private static let dispatch = definition(.fixed, []) {
        $0.recordType = "1-3"
        $0.counts = .warn
        var end = RecordLayout(type: "719", role: .trailer, columns: ["positions 4-9 zoned", "pieces 10-20 zoned 1"])
        end.counts = ["positions": "714"]
        end.sums = ["pieces": "qty"]
        $0.layouts = [
            RecordLayout(type: "711", role: .header, columns: ["supplier 4-12"]),
            RecordLayout(type: "713", role: .header, columns: ["note 4-11", "day 12-19"]),
            RecordLayout(type: "714", role: .detail, columns: ["part 4-13", "qty 14-22 zoned 1", "unit 23-24"]), end,
        ]
    }

    private static let folder = #filePath.components(separatedBy: "/IngestTests/")[0] + "/Fixtures/formats/"

    @Test(arguments: cases)
    func `what a system wrote becomes what was recorded`(golden: Case) throws {
        let rewrites = ProcessInfo.processInfo.environment["WAYBILL_REWRITE"] != nil
        let input = URL(fileURLWithPath: Self.folder + golden.name + ".input")
        let expected = URL(fileURLWithPath: Self.folder + golden.name + ".expected.json")
        if rewrites, golden.name == "fixed-ebcdic" { try Data(HostFile.bytes).write(to: input) }
        let bytes = Array(try Data(contentsOf: input))
        if golden.name == "fixed-ebcdic" { #expect(bytes == HostFile.bytes) }
        let found = try Self.outcome(bytes, golden.format)
        if rewrites {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try (try encoder.encode(found) + Data("\n".utf8)).write(to: expected)
        }
        let recorded = try JSONDecoder().decode(Outcome.self, from: try Data(contentsOf: expected))
        #expect(found == recorded, "WAYBILL_REWRITE=1 swift test writes it anew")
    }

    private static func outcome(_ bytes: [UInt8], _ format: FormatDefinition) throws -> Outcome {
        var reader = try GrowingReader(format)
        let items = try reader.read(bytes, isWhole: true)
        let columns = reader.columns ?? []
        return Outcome(columns: columns, items: items.map { item($0, columns) })
    }

    private static func item(_ item: DecodedItem, _ columns: [String]) -> Item {
        switch item {
        case .record(let record):
            let there = columns.indices.filter { record.fields[$0] != Record.absent }
            let pairs = there.map { (columns[$0], record.value($0)) }
            return Item(offset: record.offset, record: Dictionary(uniqueKeysWithValues: pairs))
        case .reject(let offset, _, let reason):
            return Item(offset: offset, reject: "\(reason.code): \(reason.message)")
        case .notice(let text): return Item(notice: text)
        }
    }

    // MARK: samples of others

    /// Looked at where they are; they are no part of the project.
    @Test func `public samples of record types and positions can be read`() throws {
        guard let folder = ProcessInfo.processInfo.environment["WAYBILL_SAMPLES"] else {
            return print("skipped: WAYBILL_SAMPLES names no directory of samples")
        }
        let csv = Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/flat/csv_pipelines.csv")))
        #expect(try decoded(csv, definition(.csv, [])).count == 3)
        let fixed = Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/flat/fixed_length_smooks.txt")))
        let people = try decoded(
            fixed, definition(.fixed, ["first 1-20", "last 21-40", "sex 41-47", "age 48-49 zoned"]))
        #expect(people.first.map(words) == ["charles", "moulliard", "Male", "43"])
        let variable = definition(.csv, []) {
            $0.recordType = "1"
            $0.layouts = [
                RecordLayout(type: "book", role: .detail, columns: ["type", "title", "author"]),
                RecordLayout(type: "magazine", role: .detail, columns: ["type", "title", "month", "year"]),
            ]
        }
        let mixed = Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/flat/csv_variable_record.csv")))
        #expect(try decoded(mixed, variable).map(words).map(\.[0]) == ["book", "magazine", "magazine", "book"])
    }
}

/// A host's file, as the test writes it: EBCDIC texts, packed and zoned decimals, no line ends.
enum HostFile {
    static let format = definition(
        .fixed, ["code 1-2", "sku 3-8", "qty 9-13 packed 3", "moved 14-18 zoned", "price 19-22 packed 2"]
    ) {
        $0.encoding = "cp037"
        $0.length = 22
    }

    static let bytes: [UInt8] =
        record("RC", "A-1", 1_500, 42, 1_999) + record("SH", "B 22", -250, -7, 0) + record("AD", "", 15_25_25, 0, -5)
        + blank("CC") + broken("XX")

    private static func record(_ code: String, _ sku: String, _ qty: Int, _ moved: Int, _ price: Int) -> [UInt8] {
        text(code, 2) + text(sku, 6) + packed(qty, 5) + zoned(moved, 5) + packed(price, 4)
    }

    /// Nothing was filled in: blanks in one number, low values in the others.
    private static func blank(_ code: String) -> [UInt8] {
        text(code, 2) + text("", 6) + [UInt8](repeating: 0, count: 5) + text("", 5) + [UInt8](repeating: 0, count: 4)
    }

    private static func broken(_ code: String) -> [UInt8] {
        text(code, 2) + text("C", 6) + [0x12, 0x34, 0x56, 0x78, 0x98] + zoned(1, 5) + packed(1, 4)
    }

    static func text(_ text: String, _ width: Int) -> [UInt8] {
        let letters = text.utf8.map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "I"): byte - UInt8(ascii: "A") + 0xC1
            case UInt8(ascii: "J")...UInt8(ascii: "R"): byte - UInt8(ascii: "J") + 0xD1
            case UInt8(ascii: "S")...UInt8(ascii: "Z"): byte - UInt8(ascii: "S") + 0xE2
            case 0x30...0x39: byte - 0x30 + 0xF0
            case UInt8(ascii: "-"): 0x60
            default: 0x40
            }
        }
        return letters + [UInt8](repeating: 0x40, count: width - letters.count)
    }

    /// `value` in its last place.
    static func packed(_ value: Int, _ width: Int) -> [UInt8] {
        var rest = value.magnitude
        var bytes = [UInt8](repeating: 0, count: width)
        bytes[width - 1] = UInt8(rest % 10) << 4 | (value < 0 ? 0x0D : 0x0C)
        rest /= 10
        for index in (0..<width - 1).reversed() {
            bytes[index] = UInt8(rest / 10 % 10) << 4 | UInt8(rest % 10)
            rest /= 100
        }
        return bytes
    }

    static func zoned(_ value: Int, _ width: Int) -> [UInt8] {
        var rest = value.magnitude
        var bytes = [UInt8](repeating: 0xF0, count: width)
        for index in bytes.indices.reversed() {
            bytes[index] |= UInt8(rest % 10)
            rest /= 10
        }
        if value < 0 { bytes[width - 1] -= 0x20 }
        return bytes
    }
}
