import Inventory
import SeededRandom
import Testing

@testable import Ingest

/// What a sample is taken for by its bytes alone.
struct OnboardingTests {
    private func sketch(_ bytes: [UInt8]) throws -> SampleSketch { try SampleSketch(Sample(bytes)) }
    private func sketch(_ text: String) throws -> SampleSketch { try sketch(Array(text.utf8)) }

    private func latin(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }

    private func utf16(_ text: String, isBig: Bool = false) -> [UInt8] {
        text.utf16.flatMap { isBig ? [UInt8($0 >> 8), UInt8($0 & 255)] : [UInt8($0 & 255), UInt8($0 >> 8)] }
    }

    /// Of letters, digits and blanks.
    private func ebcdic(_ text: String) -> [UInt8] {
        text.utf8.map { byte in
            switch byte {
            case 0x30...0x39: 0xF0 + (byte - 0x30)
            case 0x41...0x49: 0xC1 + (byte - 0x41)
            case 0x4A...0x52: 0xD1 + (byte - 0x4A)
            case 0x53...0x5A: 0xE2 + (byte - 0x53)
            case 0x0A: 0x15
            default: 0x40
            }
        }
    }

    private func field(_ field: MappingField, _ proposal: Proposal, rule: Int = 0) -> String? {
        proposal.rules[rule].fields.first { $0.field == field }?.sql
    }

    private static let german = (0..<40).map { row in
        "\(90_000 + row);\(["WE", "WA", "UM", "XY"][row % 4]);2026112\(row % 9);0914\(row % 6)0;A-\(row % 7);Größe;"
            + "W1;B-\(row % 5);L\(row % 3);1.2\(row % 9)0,5;ST;SO-\(row / 4)\r\n"
    }.joined()
    private static let germanHeader =
        "Buchungsnr;Bewegungsart;Datum;Uhrzeit;Artikel-Nr;Bezeichnung;Lager;Lagerplatz;Charge;Menge;ME;Auftrag\r\n"

    @Test func `a German export by semicolons is read with its umlauts, commas and names`() throws {
        let found = try sketch(latin(Self.germanHeader + Self.german))
        #expect(found.format.encoding == "cp1252" && found.format.delimiter == UInt8(ascii: ";"))
        #expect(found.format.hasHeader && found.records == 40)
        #expect(found.columns[5].example == "Größe")
        #expect(found.columns[9].kind == .decimal(mark: ",", isSure: true))
        let proposal = Proposal(found)
        #expect(!proposal.isStock && proposal.rules.map(\.type) == [.moved, .shipped, .received, .adjusted])
        #expect(proposal.rules.map(\.isReady) == [false, true, true, false])
        #expect(proposal.rules.map(\.when).last == "Bewegungsart = 'XY'")
        #expect(proposal.rules[3].note.contains("what \"XY\" means is not known"))
        #expect(field(.id, proposal) == "Buchungsnr" && field(.sku, proposal) == "[Artikel-Nr]")
        #expect(field(.quantity, proposal) == "decimal(Menge, ',')")
        #expect(field(.location, proposal) == "Lager || '-' || Lagerplatz")
        #expect(field(.occurredAt, proposal) == "local_time(Datum || Uhrzeit, 'yyyyMMddHHmmss')")
        #expect(proposal.uses.filter { !$0.isUsed }.map(\.column.name) == ["Bezeichnung"])
    }

    @Test(arguments: [false, true])
    func `a stock list in UTF-16 by tabs is a full export`(isBig: Bool) throws {
        let text =
            "\u{FEFF}Item\tBin Location\tQty On Hand\tDescription\n"
            + (0..<30).map { "SKU\($0)\tA-\($0 % 9)\t\($0)\tümlaut, box\n" }.joined()
        for marked in [text, String(text.dropFirst())] {
            let found = try sketch(utf16(marked, isBig: isBig))
            #expect(found.format.encoding == (isBig ? "utf-16be" : "utf-16le"))
            #expect(found.format.delimiter == 0x09 && found.columns[0].name == "Item")
            let proposal = Proposal(found)
            #expect(proposal.isStock && proposal.rules.map(\.type) == [.level])
            #expect(field(.unrestricted, proposal) == "decimal([Qty On Hand])")
            #expect(field(.location, proposal) == "[Bin Location]")
        }
    }

    @Test func `quotes and line feeds within them are no columns and no records`() throws {
        let text =
            "txn id,movement type,goods code,goods_qty,note,moved_at\n"
            + (0..<24).map { row in
                "\(row),\(row % 2 == 0 ? "RECEIPT" : "SHIPMENT"),G\(row % 5),\(row),\"one, \"\"two\"\"\nthree\",2026-11-2\(row % 9)T10:00:00Z\n"
            }.joined()
        let found = try sketch(text)
        #expect(found.records == 24 && found.columns.count == 6)
        #expect(found.columns[4].example == "one, \"two\"\nthree")
        let proposal = Proposal(found)
        #expect(Set(proposal.rules.map(\.type)) == [.received, .shipped])
        #expect(field(.occurredAt, proposal) == "moved_at" && field(.id, proposal) == "[txn id]")
    }

    @Test func `without a line of names the values tell what they can`() throws {
        let found = try sketch((0..<20).map { "T\($0);RC;2026112\($0 % 9);ART\($0 % 4);\($0),25\n" }.joined())
        #expect(!found.format.hasHeader && found.format.columns == ["c1", "c2", "c3", "c4", "c5"])
        #expect(found.records == 20)
        let proposal = Proposal(found)
        #expect(field(.sku, proposal) == "c4" && field(.quantity, proposal) == "decimal(c5, ',')")
        #expect(proposal.rules.map(\.type) == [.received])
        #expect(proposal.rules[0].fields.first { $0.field == .sku }?.todo == "a guess, by its values")
    }

    @Test func `titles before the header and footers behind the last record are found`() throws {
        let rows = (0..<12).map { "\(1000 + $0);A-\($0);\($0);2\($0 % 7).11.26\n" }.joined()
        let titles = "Bestandsliste vom 26.11.2026\nMandant;07\n\n"
        let found = try sketch(titles + "Artikel;Lagerplatz;Menge;Datum\n" + rows + "Summe;66\nEnde der Liste\n")
        #expect(found.format.skippedLines == 3 && found.format.ignoredLines == ["Summe", "Ende"])
        #expect(found.records == 12 && found.format.hasHeader)
        #expect(found.columns[3].kind == .time(pattern: "dd.MM.yy", other: nil))
        let torn = try sketch("Artikel;Lagerplatz;Menge;Datum\n" + rows + "Summe;6")
        #expect(torn.format.ignoredLines.isEmpty)
        let ragged = try sketch("Artikel;Lagerplatz;Menge;Datum\n" + rows + "A77;1\n")
        #expect(ragged.format.ignoredLines.isEmpty)
        let plain = try sketch("Artikel;Lagerplatz;Menge;Datum\n" + rows)
        #expect(plain.format.skippedLines == 0 && plain.format.ignoredLines.isEmpty)
    }

    @Test func `JSON lines give their paths as columns`() throws {
        let found = try sketch(
            (0..<20).map { row in
                #"{"id": \#(row), "type": "issue", "item": {"my_code": "S\#(row % 4)", "name": "x"}, "qty": \#(row)}"#
                    + "\n"
            }.joined())
        #expect(found.format.kind == .jsonl)
        #expect(found.format.columns == ["id", "type", "item.my_code", "item.name", "qty"])
        #expect(found.columns.map(\.name) == ["id", "type", "item_my_code", "item_name", "qty"])
        let proposal = Proposal(found)
        #expect(field(.sku, proposal) == "item_my_code" && proposal.rules.map(\.type) == [.shipped])
    }

    @Test func `columns by position have record types, and a trailer that counts`() throws {
        let details = (0..<30).map { row in
            let (item, quantity) = ("ITEM\(row % 7)" + String(repeating: "X", count: row % 3), "\(row * 40)")
            return "DET\(row % 2 == 0 ? "RC" : "SH") 202611260\(91_400 + row) " + item
                + String(repeating: " ", count: 20 - item.count - quantity.count) + quantity + " EA\r\n"
        }
        let found = try sketch("HDR20261126WMS1\r\n" + details.joined() + "TRL      30\r\n")
        #expect(found.format.kind == .fixed && found.format.recordType == "1-3")
        #expect(found.format.layouts.map(\.role) == [.header, .detail, .trailer])
        #expect(found.format.layouts[1].columns.prefix(4) == ["c1 4-5", "c2 7-14", "c3 15-20", "c4 22-28"])
        #expect(found.format.layouts[2].counts == ["trl_1": "*"])
        let proposal = Proposal(found)
        #expect(field(.occurredAt, proposal) == "local_time(c2 || c3, 'yyyyMMddHHmmss')")
        #expect(field(.sku, proposal) == "c4" && field(.quantity, proposal) == "decimal(c5)")
    }

    @Test func `records of several forms begin with their types, by separators too`() throws {
        let details = (0..<12).map { "D;ART\($0 % 5);\($0),5;RC\n" }.joined()
        let found = try sketch("H;20261126;WMS1\n\(details)T;12\n")
        #expect(found.format.kind == .csv && found.format.recordType == "1" && !found.format.hasHeader)
        #expect(found.format.layouts.map(\.type) == ["H", "D", "T"])
        #expect(found.format.layouts.map(\.role) == [.header, .detail, .trailer])
        #expect(found.format.layouts[2].counts == ["t_2": "*"] && found.records == 12)
        let proposal = Proposal(found)
        #expect(field(.sku, proposal) == "c2" && field(.quantity, proposal) == "decimal(c3, ',')")
    }

    @Test func `EBCDIC records of one length are cut by their repetition, and packed decimals seen`() throws {
        let records = (0..<60).flatMap { row -> [UInt8] in
            let digits = row * 37
            let nibbles = [10_000, 1_000, 100, 10, 1].map { digits / $0 % 10 } + [row % 3 == 0 ? 0xD : 0xC]
            let packed = [0, 2, 4].map { UInt8(nibbles[$0] * 16 + nibbles[$0 + 1]) }
            return ebcdic("\(row % 2 == 0 ? "RC" : "SH") ITEM\(1_000 + row % 9)  W1 20261126") + packed + ebcdic("EA ")
        }
        let found = try sketch(records)
        #expect(found.format.encoding == "cp037" && found.format.length == 30 && found.records == 60, "\(found.format)")
        #expect(
            found.format.columns == ["c1 1-2", "c2 4-12", "c3 14-15", "c4 17-24", "c5 25-27 packed 0", "c6 28-29"])
        #expect(field(.quantity, Proposal(found)) == "decimal(c5)")
    }

    @Test func `EBCDIC lines are lines`() throws {
        let found = try sketch(ebcdic((0..<40).map { "RC ITEM\(1_000 + $0 % 9) 20261126 \(100 + $0)\n" }.joined()))
        #expect(found.format.encoding == "cp037" && found.format.kind == .fixed && found.format.length == nil)
        #expect(found.records == 40 && found.columns[2].kind == .time(pattern: "yyyyMMdd", other: nil))
    }

    @Test func `names alone, and one record alone, are drafted and say so`() throws {
        let names = Proposal(try sketch("item;qty;code\n"))
        #expect(names.todos.contains { $0.contains("no records yet") } && field(.sku, names) == "item")
        let one = Proposal(try sketch("A1;5;RC\n"))
        #expect(one.rules.map(\.type) == [.received] && field(.sku, one) == "c1")
    }

    @Test func `what holds no records is refused in words`() throws {
        var random = Seeded(7)
        let garbage = (0..<20_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let refused: [([UInt8], String)] = [
            ([], "is empty"), (garbage, "no text in any known encoding"), (Array("%PDF-1.7\n".utf8), "PDF"),
            (Array("<?xml version='1.0'?><a/>".utf8), "XML"), (Array("one\n\nword\n".utf8), "no columns can be seen"),
        ]
        for (bytes, words) in refused {
            let error = #expect(throws: IngestError.self) { try self.sketch(bytes) }
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        }
    }

    @Test func `a number that may be thousands, and a day that may be a month, are asked`() throws {
        let found = try sketch("item,date,qty\n" + (1...9).map { "A\($0),0\($0)/0\($0)/2026,1.\($0)00\n" }.joined())
        #expect(found.columns[1].kind == .time(pattern: "dd/MM/yyyy", other: "MM/dd/yyyy"))
        #expect(found.columns[2].kind == .decimal(mark: ".", isSure: false))
        let rule = try #require(Proposal(found).rules.first)
        #expect(rule.fields.contains { $0.todo?.contains("thousands?") == true })
    }

    @Test func `what may be the quantity or the bucket as well is asked`() throws {
        let text =
            "bin,goods code,goods qty,picked qty,status\n"
            + (0..<9).map { "B1,A\($0 % 3),\($0),0,\($0 % 2)\n" }.joined()
        let proposal = Proposal(try sketch(text))
        #expect(proposal.isStock, "places hold stock, also where a key comes twice")
        #expect(proposal.todos.contains("several columns may be the quantity: goods qty, picked qty"))
        #expect(proposal.todos.contains("status may say in which bucket stock is: 0 (5), 1 (4)"))
    }

    @Test func `shipments with a minus become quantities without one`() throws {
        let found = try sketch(
            "item;code;qty\n" + (1...9).map { "A\($0 % 3);\($0 % 2 == 0 ? "WA;-" : "WE;")\($0),5\n" }.joined())
        let proposal = Proposal(found)
        let shipped = try #require(proposal.rules.firstIndex { $0.type == .shipped })
        #expect(field(.quantity, proposal, rule: shipped) == "decimal_neg(decimal(qty, ','))")
    }

    @Test(arguments: [
        ("MATNR", "sku"), ("Material Number", "sku"), ("goods code", "sku"), ("GOODS_QTY", "quantity"),
        ("bin_name", "location"),
        ("Lagerplatz-Nr.", "location"), ("fromBin", "location"), ("To Location", "toLocation"), ("BWART", "code"),
        ("Movement Type", "code"), ("Chargen-Nr", "lot"), ("Quantité", "quantity"), ("Código artículo", "sku"),
        ("order_no", "document"), ("Order Line", "line"), ("expiry_date", "text"), ("item_desc", "text"),
        ("TRDJ", "date"),
        ("txn_no", "id"), ("reasonCode", "reason"), ("Stückzahl", "quantity"), ("Goods Weight", "text"),
        ("POSTAL_CODE", nil), ("Farbe", nil),
    ])
    func `columns are known by their names`(name: String, role: String?) {
        #expect(ColumnRole.of(name)?.role.rawValue == role)
    }

    @Test func `nothing that a sample may hold brings it down`() throws {
        var random = Seeded()
        let whole = latin(Self.germanHeader + Self.german)
        for _ in 0..<60 {
            var bytes = Array(whole.prefix(Int.random(in: 0...2_000, using: &random)))
            for _ in 0..<Int.random(in: 0...20, using: &random) where !bytes.isEmpty {
                let at = Int.random(in: bytes.indices, using: &random)
                bytes[at] = UInt8(truncatingIfNeeded: random.next())
            }
            do { _ = Proposal(try sketch(bytes)) } catch is IngestError {} catch {
                Issue.record("\(error), seed \(random.seed)")
            }
        }
    }
}
