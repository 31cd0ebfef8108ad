import Ingest
import SeededRandom
import Testing

// What every decoder keeps, from a printed seed: what was encoded is what is decoded; however a file grows, the same
// records come; and so they do when any record was the last one before a restart.

/// Writes files of one format from chance, with what a decoder must make of them.
struct WrittenFormat: Sendable, CustomTestStringConvertible {
    let name: String
    let format: FormatDefinition
    let write: @Sendable (inout Seeded) -> (bytes: [UInt8], records: [[String]])
    var testDescription: String { name }

    static let all = [csv, fixed, host, jsonl, groups]

    static let csv = WrittenFormat(name: "csv", format: definition(.csv, [])) { random in
        rows(&random, Array("code,sku,qty\n".utf8)) { random in
            let values = (0..<3).map { _ in text(&random) }
            let quoted = values.map { "\"\($0.replacing("\"", with: "\"\""))\"" }
            return (Array((quoted.joined(separator: ",") + "\n").utf8), values)
        }
    }

    static let fixed = WrittenFormat(name: "fixed", format: definition(.fixed, ["a 1-6", "n 7-12 zoned 2", "b 13-16"]))
    {
        rows(&$0) { random in
            let (a, b) = (letters(&random, 6), letters(&random, 4))
            let value = Int.random(in: -99_999...99_999, using: &random)
            let digits = String("\(1_000_000 + value.magnitude)".dropFirst(2))
            let line = padded(a, 6) + (value < 0 ? "-" : "+") + digits + padded(b, 4) + "\n"
            return (Array(line.utf8), [a, decimal(value, 2), b])
        }
    }

    static let host = WrittenFormat(name: "fixed, a host's", format: HostFile.format) {
        rows(&$0) { random in
            let sku = letters(&random, 6)
            let (qty, moved) = (
                Int.random(in: -99_999_999...99_999_999, using: &random), Int.random(in: -9_999...9_999, using: &random)
            )
            let price = Int.random(in: 0...9_999, using: &random)
            let bytes =
                HostFile.text("RC", 2) + HostFile.text(sku, 6) + HostFile.packed(qty, 5) + HostFile.zoned(moved, 5)
                + HostFile.packed(price, 4)
            return (bytes, ["RC", sku, decimal(qty, 3), decimal(moved, 0), decimal(price, 2)])
        }
    }

    static let jsonl = WrittenFormat(name: "jsonl", format: definition(.jsonl, ["a", "b.1.c"])) {
        rows(&$0) { random in
            let (a, c) = (text(&random), text(&random))
            return (
                Array("{\"x\":[{}],\"b\":[0,{\"c\":\(json(c, &random))}],\"a\":\(json(a, &random))}\n".utf8), [a, c]
            )
        }
    }

    static let groups = WrittenFormat(name: "csv groups", format: groupFormat) { random in
        var bytes: [UInt8] = []
        var records: [[String]] = []
        for document in 0..<Int.random(in: 1...3, using: &random) {
            bytes += Array("H,\(document)\n".utf8)
            var sum = 0
            let lines = Int.random(in: 0...4, using: &random)
            for line in 0..<lines {
                let quantity = Int.random(in: -500...500, using: &random)
                sum += quantity
                bytes += Array("D,\(line),\(decimal(quantity, 2))\n".utf8)
                records.append(["D", "D", "\(document)", "\(line)", decimal(quantity, 2)])
            }
            bytes += Array("T,\(lines),\(decimal(sum, 2))\n".utf8)
        }
        return (bytes, records)
    }

    private static let groupFormat = definition(.csv, []) {
        $0.hasHeader = false
        $0.recordType = "1"
        var end = RecordLayout(type: "T", role: .trailer, columns: ["kind", "lines", "sum"])
        end.counts = ["lines": "*"]
        end.sums = ["sum": "qty"]
        $0.layouts = [
            RecordLayout(type: "H", role: .header, columns: ["kind", "document"]),
            RecordLayout(type: "D", role: .detail, columns: ["kind", "line", "qty"]), end,
        ]
    }

    // MARK: values

    private static func rows(
        _ random: inout Seeded, _ head: [UInt8] = [], _ row: (inout Seeded) -> ([UInt8], [String])
    ) -> (bytes: [UInt8], records: [[String]]) {
        let rows = (0..<Int.random(in: 1...6, using: &random)).map { _ in row(&random) }
        return (head + rows.flatMap(\.0), rows.map(\.1))
    }

    private static func text(_ random: inout Seeded) -> String {
        let letters: [Character] = ["a", "B", "ü", "€", "😀", ",", ";", "\"", "\\", "\n", " ", "0", "\t", "/"]
        return String(
            (0..<Int.random(in: 1...8, using: &random)).map { _ in letters.randomElement(using: &random) ?? "x" })
    }

    private static func letters(_ random: inout Seeded, _ most: Int) -> String {
        let count = Int.random(in: 0...most, using: &random)
        return String((0..<count).map { _ in "ABCXYZ0189-".randomElement(using: &random) ?? "X" })
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: width - text.count)
    }

    private static func decimal(_ value: Int, _ places: Int) -> String {
        guard places > 0 else { return "\(value)" }
        let digits = String(repeating: "0", count: places) + "\(value.magnitude)"
        let integer = String(digits.dropLast(places).drop { $0 == "0" })
        return (value < 0 ? "-" : "") + (integer.isEmpty ? "0" : integer) + "." + digits.suffix(places)
    }

    /// Each character as itself, by its short escape or by units, as chance will have it.
    private static func json(_ text: String, _ random: inout Seeded) -> String {
        var json = "\""
        for character in text {
            let units = String(character).utf16.map { "\\u" + String(String(0x10000 + Int($0), radix: 16).dropFirst()) }
            switch character {
            case _ where Bool.random(using: &random): json += units.joined()
            case "\"", "\\", "/": json += "\\\(character)"
            case "\n": json += "\\n"
            case "\t": json += "\\t"
            default: json.append(character)
            }
        }
        return json + "\""
    }
}

struct FormatPropertyTests {
    @Test(arguments: WrittenFormat.all)
    func `what was encoded is what is decoded`(written: WrittenFormat) throws {
        var random = Seeded()
        for _ in 0..<300 {
            let (bytes, records) = written.write(&random)
            #expect(try decoded(bytes, written.format).map(words) == records, "seed \(random.seed)")
        }
    }

    @Test(arguments: WrittenFormat.all)
    func `however a file grows, the same records come`(written: WrittenFormat) throws {
        var random = Seeded()
        for _ in 0..<20 {
            let bytes = written.write(&random).bytes
            let whole = try decoded(bytes, written.format)
            var growing = try GrowingReader(written.format)
            var items: [DecodedItem] = []
            for end in 0...bytes.count { items += try growing.read(Array(bytes[..<end])) }
            #expect(items == whole, "seed \(random.seed)")
            for split in 0...bytes.count {
                var reader = try GrowingReader(written.format)
                let first = try reader.read(Array(bytes[..<split]))
                #expect(first + (try reader.read(bytes)) == whole, "seed \(random.seed), split at \(split)")
            }
        }
    }

    @Test(arguments: WrittenFormat.all)
    func `a restart at any record changes nothing`(written: WrittenFormat) throws {
        var random = Seeded()
        for _ in 0..<50 {
            let bytes = written.write(&random).bytes
            let whole = try decoded(bytes, written.format)
            var items: [DecodedItem] = []
            var reader = try GrowingReader(written.format)
            while case let next = try reader.read(bytes, most: 1), !next.isEmpty {
                items += next
                reader = try GrowingReader(written.format, at: reader.offset, resuming: try stored(reader.state))
            }
            #expect(items == whole, "seed \(random.seed)")
        }
    }

    @Test(arguments: WrittenFormat.all)
    func `damaged bytes never give a field beyond its text`(written: WrittenFormat) throws {
        var random = Seeded()
        for _ in 0..<500 {
            var bytes = written.write(&random).bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = .random(in: 0...255, using: &random)
            }
            for case .record(let record) in try decoded(bytes, written.format) {
                let lies = record.fields.allSatisfy {
                    $0 == Record.absent
                        || ($0.lowerBound >= record.text.startIndex && $0.upperBound <= record.text.endIndex)
                }
                #expect(lies && String(validating: record.text, as: UTF8.self) != nil, "seed \(random.seed)")
            }
        }
    }
}
