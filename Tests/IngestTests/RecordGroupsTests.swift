import Ingest
import Inventory
import Testing

struct RecordGroupsTests {
    private static let file = """
        F,dc7,20260101
        H,D1,B-01
        D,S1,5
        D,S2,2.5
        T,2,7.5
        H,D2,
        D,S3,-1
        T,1,-1
        E,9

        """

    /// Files of documents of lines: two headers, one inside the other, and a trailer for each.
    private static func layouts() -> [RecordLayout] {
        var lines = RecordLayout(type: "T", role: .trailer, columns: ["kind", "lines", "total"])
        lines.counts = ["lines": "*"]
        lines.sums = ["total": "qty"]
        var end = RecordLayout(type: "E", role: .trailer, columns: ["kind", "records"])
        end.counts = ["records": "+"]
        return [
            RecordLayout(type: "F", role: .header, columns: ["kind", "site", "day"]),
            RecordLayout(type: "H", role: .header, columns: ["kind", "document", "bin"]),
            RecordLayout(type: "D", role: .detail, columns: ["kind", "sku", "qty"]), lines, end,
        ]
    }

    private func csv(_ change: (inout FormatDefinition) -> Void = { _ in }) -> FormatDefinition {
        definition(.csv, []) {
            $0.hasHeader = false
            $0.recordType = "1"
            $0.layouts = Self.layouts()
            change(&$0)
        }
    }

    // MARK: carrying

    @Test func `a detail holds its own columns and those of its headers`() throws {
        #expect(try csv().decoder().columns == ["record", "kind", "site", "day", "document", "bin", "sku", "qty"])
        #expect(
            try decoded(Self.file, csv()) == [
                ["D", "D", "dc7", "20260101", "D1", "B-01", "S1", "5"],
                ["D", "D", "dc7", "20260101", "D1", "B-01", "S2", "2.5"],
                ["D", "D", "dc7", "20260101", "D2", "", "S3", "-1"],
            ])
    }

    @Test func `an outer header ends the inner ones, and a detail's own column wins`() throws {
        let form = csv {
            $0.layouts[1].columns = ["kind", "day", "bin"]
            $0.layouts = Array($0.layouts[..<3])
            $0.layouts[2].columns = ["kind", "bin", "qty"]
        }
        let records = try decoded("F,dc7,1\nH,2,B\nD,own,5\nF,dc8,3\nD,own,6\n", form)
        #expect(records == [["D", "D", "dc7", "2", "own", "5"], ["D", "D", "dc8", "3", "own", "6"]])
    }

    @Test func `without its header a detail's header columns are absent`() throws {
        guard case .record(let record)? = try decoded(Array("D,S1,5\n".utf8), csv()).first else {
            return #expect(Bool(false), "no record")
        }
        #expect(record.fields[2] == Record.absent && record.values == ["D", "D", "", "", "", "", "S1", "5"])
    }

    @Test func `quoted fields of headers and details may span lines`() throws {
        let records = try decoded("F,\"dc\n7\",\"a\"\"b\"\nD,\"S\n1\",5\n", csv())
        #expect(records == [["D", "D", "dc\n7", "a\"b", "", "", "S\n1", "5"]])
    }

    // MARK: rejects

    @Test func `an unknown type is a reject, and a record of too few columns too`() throws {
        let items = try decoded("X,1\nD,S1\nD,S1,5\n\n", csv() { $0.counts = .ignore })
        #expect(items.map(\.[0]) == ["!record_type", "!ragged", "D"])
        #expect(try decoded("D\n", csv { $0.recordType = "2" }) == [["!record_type"]])
    }

    @Test func `what stands under a header that cannot be read is rejected, not given to the one before it`() throws {
        let items = try decoded("H,D1,B\nD,S1,1\nH,D2\nD,S2,1\nH,D3,B\nD,S3,1\n", csv())
        #expect(items.map(\.[0]) == ["D", "!ragged", "!header", "D"])
    }

    @Test func `a header that no checkpoint could hold is rejected with what stands under it`() throws {
        let long = String(repeating: "x", count: 33_000)
        let items = try decoded("H,D1,B\nD,S1,1\nH,\(long),B\nD,S2,1\n", csv())
        #expect(items.map(\.[0]) == ["D", "!too_long", "!header"])
    }

    @Test func `a reject brings its headers, so that it can be read by itself`() throws {
        let items = try decoded(Array("F,dc7,1\nH,D1,B\nD,S1,5\nD,S2\n".utf8), csv())
        guard case .record(let record) = items[0], case .reject(_, let bytes, _) = items[1] else {
            return #expect(Bool(false), "\(items)")
        }
        #expect(record.bytes.elementsEqual("D,S1,5".utf8))
        #expect(record.repeatable.elementsEqual("F,dc7,1\nH,D1,B\nD,S1,5".utf8))
        #expect(bytes.elementsEqual("F,dc7,1\nH,D1,B\nD,S2".utf8))
        #expect(try decoded(Array(record.repeatable), csv()).map(words) == [record.values])
    }

    // MARK: trailers

    @Test(arguments: [
        ("T,2,7.5", "T,3,7.5", "lines says 3, and there were 2"),
        ("T,2,7.5", "T,2,7.50001", "total says 7.50001, and the sum of qty is 7.5"),
        ("T,1,-1", "T,,x", "lines says nothing, and there were 1; total says x, and the sum of qty is -1"),
        ("E,9", "E,8", "records says 8, and there were 9"), ("D,S1,5", "D,S1,five", "some qty is no number"),
    ])
    func `a trailer that does not fit is a reject that names both figures`(old: String, new: String, words: String)
        throws
    {
        let items = try decoded(Array(Self.file.replacing(old, with: new).utf8), csv())
        let rejects = items.compactMap { item -> RejectReason? in
            if case .reject(_, _, let reason) = item { reason } else { nil }
        }
        #expect(rejects.count == 1 && rejects[0].code == "count" && rejects[0].message.contains(words), "\(rejects)")
        #expect(items.count == 4)
    }

    @Test func `figures are read as files write them`() throws {
        let file = "D;S1;1.234,5\nD;S2;0,5-\nT;0002;1.234,00\n"
        let form = csv { $0.delimiter = UInt8(ascii: ";") }
        #expect(try decoded(file, form).map(\.[0]) == ["D", "D"])
    }

    @Test func `a policy may warn or say nothing instead`() throws {
        let file = "D,S1,5\nT,2,5\n"
        #expect(try decoded(file, csv { $0.counts = .ignore }).count == 1)
        let told = try decoded(file, csv { $0.counts = .warn }).last
        #expect(told == ["trailer \"T\": lines says 2, and there were 1 (byte 7)"])
    }

    @Test func `details without a trailer behind them are a truncated file`() throws {
        for (file, code) in [(Self.file, nil), ("D,S1,5\nT,1,5\nE,3\nD,S2,1\n", "truncated"), ("F,dc7,1\n", nil)] {
            var decoder = try csv().decoder()
            for (index, line) in file.split(separator: "\n").enumerated() {
                _ = decoder.decode(RawLine(offset: Int64(index), bytes: Array(line.utf8)[...]))
            }
            #expect(decoder.finish()?.code == code)
            let fresh = try csv().decoder().state
            #expect(decoder.finish() == nil && decoder.state == fresh)
        }
    }

    // MARK: fixed

    @Test func `fixed records carry their headers too, packed and in EBCDIC`() throws {
        var end = RecordLayout(type: "9", role: .trailer, columns: ["lines 2-4 packed", "total 5-8 packed 2"])
        end.counts = ["lines": "5"]
        end.sums = ["total": "qty"]
        let form = definition(.fixed, []) {
            $0.encoding = "cp037"
            $0.length = 8
            $0.recordType = "1"
            $0.layouts = [
                RecordLayout(type: "1", role: .header, columns: ["doc 2-5"]),
                RecordLayout(type: "5", role: .detail, columns: ["sku 2-4", "qty 5-8 packed 2"]), end,
            ]
        }
        let file: [UInt8] = [
            0xF1, 0xC4, 0xF1, 0x40, 0x40, 0x40, 0x40, 0x40, 0xF5, 0xC1, 0x40, 0x40, 0x00, 0x01, 0x50, 0x0C,
            0xF5, 0xC2, 0x40, 0x40, 0x00, 0x00, 0x15, 0x0D, 0xF9, 0x00, 0x00, 0x2C, 0x00, 0x01, 0x35, 0x0C,
        ]
        #expect(try decoded(file, form).map(words) == [["5", "D1", "A", "15.00"], ["5", "D1", "B", "-1.50"]])
        #expect(
            try decoded(Array(file.dropLast(8)) + [0xF9, 0, 0, 0x2C, 0, 1, 0x35, 0x1C], form).last.map(words) == [
                "!count"
            ])
    }

    // MARK: checkpoints

    @Test(arguments: [
        file, file.replacing("T,2", with: "T,3").replacing("H,D2,", with: "H,D2").replacing("S1,5", with: "S1,x"),
    ])
    func `stopped after any record, a fresh decoder goes on the same`(file: String) throws {
        let bytes = Array(file.utf8)
        let wanted = try decoded(bytes, csv())
        var items: [DecodedItem] = []
        var reader = try GrowingReader(csv())
        for end in bytes.indices where bytes[end] == 0x0A {
            items += try reader.read(Array(bytes[...end]))
            let stored = try stored(reader.state)
            reader = try GrowingReader(csv(), at: reader.offset, resuming: stored)
        }
        #expect(items == wanted)
    }

    // MARK: definitions

    @Test func `layouts that contradict each other are an error that says why`() {
        let changes: [(String, (inout FormatDefinition) -> Void)] = [
            ("no record type is a detail", { $0.layouts = [] }), ("is there twice", { $0.layouts[0].type = "H" }),
            ("no columns", { $0.layouts[0].columns = [] }), ("twice", { $0.layouts[0].columns = ["a", "a"] }),
            ("is the record's type", { $0.layouts[0].columns = ["record"] }),
            ("is no trailer", { $0.layouts[0].counts = ["kind": "*"] }),
            ("no column \"line\"", { $0.layouts[3].counts = ["line": "*"] }),
            ("counts \"Z\"", { $0.layouts[3].counts = ["lines": "Z"] }),
            ("sums \"day\"", { $0.layouts[3].sums = ["total": "day"] }),
            ("no column's number", { $0.recordType = "0" }),
            ("no record types", { $0.kind = .jsonl }),
            (
                "no range of bytes",
                {
                    $0.kind = .fixed; $0.recordType = "x";
                    $0.layouts = [RecordLayout(type: "D", role: .detail, columns: ["a 1"])]
                }
            ),
        ]
        for (words, change) in changes {
            let error = #expect(throws: IngestError.self) { try csv(change).decoder() }
            #expect(error?.description.contains(words) == true, "\(words): \(error?.description ?? "")")
        }
    }
}
