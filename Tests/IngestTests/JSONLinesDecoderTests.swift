import Ingest
import Testing

struct JSONLinesDecoderTests {
    private let form = definition(.jsonl, ["sku", "item.code", "lines.0.qty"])

    @Test func `columns are paths, named by their steps`() throws {
        #expect(try form.decoder().columns == ["sku", "item_code", "lines_0_qty"])
        let line = #"{"lines":[{"qty":12.50},{"qty":3}],"item":{"code":"A","sku":"no"},"sku":"S-1"}"#
        #expect(try decoded(line + "\n", form) == [["S-1", "A", "12.50"]])
    }

    @Test(arguments: [
        (#""a""#, "a"), ("-1.50e+3", "-1.50e+3"), ("0", "0"),
        ("12345678901234567890.123456789", "12345678901234567890.123456789"),
        ("true", "1"), ("false", "0"), (#"{"a": [1, 2]}"#, #"{"a": [1, 2]}"#), ("[1,2]", "[1,2]"), (#""""#, ""),
        (#""\"\\\/\n\t\r\b\f""#, "\"\\/\n\t\r\u{8}\u{C}"), (#""\u00fc\u20AC""#, "ü€"), (#""\ud83d\ude00""#, "😀"),
        (#""ü""#, "ü"),
    ])
    func `a value is its text, its digits, its truth or its JSON`(value: String, wanted: String) throws {
        #expect(try decoded("{\"sku\":\(value)}\n", form) == [[wanted, "", ""]])
    }

    @Test(arguments: ["{}", #"{"sku":null}"#, #"{"SKU":1}"#, #"{"item":{"sku":1}}"#])
    func `null and what is missing are absent`(line: String) throws {
        guard case .record(let record)? = try decoded(Array(line.utf8), form).first else {
            return #expect(Bool(false), "no record")
        }
        #expect(record.fields[0] == Record.absent)
    }

    @Test(arguments: [
        "{", "{]", "[]", "1", "\"a\"", "{}{}", "{} x", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{a:1}"#, #"{"a":01}"#,
        #"{"a":1.}"#,
        #"{"a":.5}"#, #"{"a":+1}"#, #"{"a":1e}"#, #"{"a":-}"#, #"{"a":tru}"#, #"{"a":nulll}"#, #"{"a":NaN}"#,
        #"{"a":"x}"#,
        #"{"a":"\x"}"#, #"{"a":"\u12"}"#, #"{"a":"\ud83d"}"#, #"{"a":"\ude00\ud83d"}"#, #"{"a":"\"#, "{\"a\":\"\t\"}",
        #"{"a":[1,]}"#,
        #"{"a":[1 2]}"#, #"{'a':1}"#, #"{"a":1 "b":2}"#,
    ])
    func `what is no JSON object is a reject, wanted or not`(line: String) throws {
        #expect(try decoded(line + "\n{}\n", form) == [["!json"], ["", "", ""]])
    }

    @Test(arguments: [#"{"a":1,"a":2}"#, #"{"b":{"a":1,"c":1,"a":2}}"#, #"{"a":1,"\u0061":2}"#])
    func `two members of one name are a reject`(line: String) throws {
        #expect(try decoded(line, form) == [["!duplicate_key"]])
    }

    @Test func `many members are compared too, in no square of time`() throws {
        let members = (0..<40_000).map { "\"m\($0)\":\($0)" }
        #expect(try decoded("{\(members.joined(separator: ","))}", form) == [["", "", ""]])
        #expect(try decoded("{\((members + ["\"m7\":1"]).joined(separator: ","))}", form) == [["!duplicate_key"]])
    }

    @Test(arguments: ["[", "{\"a\":"])
    func `nesting is bounded, and no depth overflows the stack`(open: String) throws {
        func nested(_ depth: Int) -> String {
            let close = open == "[" ? "]" : "}"
            return "{\"sku\":" + String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
                + "}"
        }
        #expect(try decoded(nested(63), form).first?.first?.hasPrefix("{") == (open != "["))
        #expect(try decoded(nested(64), form) == [["!depth"]])
        #expect(try decoded(nested(10_000), form) == [["!depth"]])
        #expect(try decoded("{\"a\":" + String(repeating: open, count: 100_000), form) == [["!depth"]])
    }

    @Test func `blank lines are no records, and a byte order mark is none of the text`() throws {
        #expect(try decoded("\u{FEFF}{\"sku\":1}\r\n\n  \t\r\n{\"sku\":2}", form).map(\.[0]) == ["1", "2"])
        #expect(try decoded("{}\n\u{FEFF}{\"sku\":1}\n", form) == [["", "", ""], ["!json"]])
    }

    @Test func `other encodings are read too, and bytes without a meaning are a reject`() throws {
        let latin = definition(.jsonl, ["sku"]) { $0.encoding = "cp1252" }
        #expect(try decoded(Array("{\"sku\":\"".utf8) + [0xFC] + Array("\"}".utf8), latin).map(words) == [["ü"]])
        #expect(try decoded([0x7B, 0xFC, 0x7D], form).map(words) == [["!encoding"]])
    }

    @Test(arguments: [[], ["a", "a"], ["a.b", "a_b"], ["a..b"], [""]])
    func `paths that cannot be columns are an error`(paths: [String]) {
        #expect(throws: IngestError.self) { try definition(.jsonl, paths).decoder() }
    }
}
