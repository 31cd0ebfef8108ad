import Ingest
import Inventory
import Testing

struct FixedDecoderTests {
    private func fixed(_ columns: [String], encoding: String = "utf-8", length: Int? = nil) -> FormatDefinition {
        definition(.fixed, columns) {
            $0.encoding = encoding
            $0.length = length
        }
    }

    /// One number column over these bytes; empty text, the number, or `!code`.
    private func number(_ bytes: [UInt8], _ kind: String, encoding: String = "cp037") throws -> String {
        let form = fixed(["n 1-\(bytes.count) \(kind)"], encoding: encoding, length: bytes.count)
        return try decoded(bytes, form).map(words).first?.first ?? "nothing"
    }

    // MARK: text

    @Test func `columns are read by position, without the blanks at their end`() throws {
        let form = fixed(["code 1-2", "sku 3-10", "qty 11-14"])
        #expect(
            try decoded("RC  A 1     12\nSH        7777behind\n", form) == [
                ["RC", "  A 1", "  12"], ["SH", "", "7777"],
            ])
    }

    @Test func `blanks cut from a line's end are empty columns and short texts`() throws {
        let form = fixed(["code 1-2", "sku 3-10", "qty 11-14 zoned"])
        #expect(
            try decoded("RC\nRCAB\n\nRCABCDEFGH0012\n", form) == [
                ["RC", "", ""], ["RC", "AB", ""], ["RC", "ABCDEFGH", "12"],
            ])
    }

    @Test func `a number that a line's end cuts is no shorter number`() throws {
        #expect(try decoded("RC12\nRC123\n", fixed(["code 1-2", "qty 3-5 zoned"])) == [["!short"], ["RC", "123"]])
    }

    @Test func `a byte order mark moves no column`() throws {
        #expect(try decoded("\u{FEFF}RC12\nSH13\n", fixed(["code 1-2", "qty 3-4"])) == [["RC", "12"], ["SH", "13"]])
        let wide: [UInt8] = [0xFF, 0xFE, 0x41, 0, 0x42, 0, 0x0A, 0]
        #expect(try decoded(wide, fixed(["a 1-2", "b 3-4"], encoding: "utf-16le")).map(words) == [["A", "B"]])
    }

    @Test func `positions are bytes of the file's encoding`() throws {
        let form = fixed(["a 1-2", "b 3-4"], encoding: "cp1252")
        #expect(try decoded([0xFC, 0x62, 0x80, 0x20, 0x0A], form).map(words) == [["üb", "€"]])
        #expect(try decoded("üb€\n", fixed(["a 1-3", "b 4-6"])) == [["üb", "€"]])
    }

    @Test func `bytes without a meaning reject their record, also a character that a column cuts`() throws {
        let form = fixed(["a 1-2"], encoding: "cp1252")
        #expect(try decoded([0x81, 0x62, 0x0A, 0x62, 0x0A], form).map(words) == [["!encoding"], ["b"]])
        #expect(try decoded("aü\n", fixed(["a 1-2"])) == [["!encoding"]])
    }

    @Test func `records of a length hold what would be line ends`() throws {
        let form = fixed(["code 1-1", "qty 2-4 packed"], encoding: "cp037", length: 4)
        let bytes: [UInt8] = [0xC1, 0x15, 0x25, 0x0C, 0xC2, 0x00, 0x01, 0x5D]
        #expect(try decoded(bytes, form).map(words) == [["A", "15250"], ["B", "-15"]])
    }

    // MARK: numbers

    @Test(
        arguments: [
            ([0x12, 0x34, 0x5C], "packed 2", "123.45"), ([0x12, 0x34, 0x5D], "packed 2", "-123.45"),
            ([0x00, 0x00, 0x5F], "packed 2", "0.05"), ([0x00, 0x00, 0x0D], "packed 2", "0.00"), ([0x7A], "packed", "7"),
            ([0x7B], "packed", "-7"), ([0x7E], "packed 1", "0.7"), ([0x00, 0x00], "packed", ""),
            ([0x40, 0x40], "packed", ""), ([0x20, 0x20], "packed", ""), ([0x12, 0x34], "packed", "!number"),
            ([0xA1, 0x2C], "packed", "!number"), ([0xF1, 0xF2, 0xF3], "zoned", "123"),
            ([0xF1, 0xC2], "zoned 1", "1.2"),
            ([0xF0, 0xD2], "zoned", "-2"), ([0x60, 0xF1, 0xF2], "zoned", "-12"), ([0xF1, 0xF2, 0x4E], "zoned", "12"),
            ([0x40, 0x40, 0xF7], "zoned", "7"), ([0x40, 0x40], "zoned", ""), ([0x00, 0x00], "zoned", ""),
            ([0xC1, 0xF2], "zoned", "!number"), ([0x60, 0xD2], "zoned", "!number"), ([0x60, 0x60], "zoned", "!number"),
            ([0xFA], "zoned", "!number"),
        ] as [([UInt8], String, String)])
    func `a host's decimals become plain ones`(bytes: [UInt8], kind: String, wanted: String) throws {
        #expect(try number(bytes, kind) == wanted)
    }

    @Test(arguments: [
        ("00123", "zoned 2", "1.23"), ("0012{", "zoned", "120"), ("0012C", "zoned", "123"), ("0012}", "zoned", "-120"),
        ("0012L", "zoned 2", "-1.23"), ("0012p", "zoned", "-120"), ("0012y", "zoned", "-129"),
        ("-0012", "zoned", "-12"),
        ("0012-", "zoned 1", "-1.2"), ("+0012", "zoned", "12"), ("   12", "zoned", "12"), ("- 12 ", "zoned", "-12"),
        ("     ", "zoned", ""), ("0000}", "zoned", "0"), ("1 2", "zoned", "!number"), ("1.2", "zoned", "!number"),
        ("-1L", "zoned", "!number"), ("A12", "zoned", "!number"), ("-", "zoned", "!number"),
        ("12z", "zoned", "!number"),
    ])
    func `zoned decimals in ASCII carry their sign over the last digit, before or behind`(
        text: String, kind: String, wanted: String
    ) throws {
        #expect(try number(Array(text.utf8), kind, encoding: "utf-8") == wanted)
    }

    @Test func `what is no number is told by its column`() throws {
        guard
            case .reject(_, let bytes, let reason)? = try decoded(
                Array("RC1!\n".utf8), fixed(["c 1-2", "qty 3-4 zoned"])
            ).first
        else { return #expect(Bool(false), "no reject") }
        #expect(reason.message == "qty is no zoned number: bytes 3121" && bytes.elementsEqual("RC1!".utf8))
    }

    // MARK: definitions

    @Test(arguments: [
        ("sku", "no name, range and kind"), ("sku 1-2 text 1", "no decimal places"), ("sku 0-3", "positions rise"),
        ("sku 4-3", "positions rise"), ("sku a-3", "no range of bytes"), ("sku 1-2-3", "no range of bytes"),
        ("sku +1-3", "no range of bytes"), ("sku 1-9999999", "positions rise"), ("sku 1-3 comp", "kinds are text"),
        ("qty 1-3 zoned x", "no number of decimal places"), ("qty 1-3 zoned 4", "places are at most"),
        ("qty 1-40 zoned", "at most 31"), ("qty 1-3 packed", "give length"),
    ])
    func `a column that cannot be is an error that says why`(column: String, words: String) {
        let error = #expect(throws: IngestError.self) { try fixed([column]).decoder() }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test func `columns fit their records, and have names of their own`() {
        for (columns, words) in [(["a 1-9"], "ends at byte 9 of 8"), (["a 1", "a 2"], "twice"), ([], "no columns")] {
            let error = #expect(throws: IngestError.self) { try fixed(columns, length: 8).decoder() }
            #expect(error?.description.contains(words) == true)
        }
    }
}
