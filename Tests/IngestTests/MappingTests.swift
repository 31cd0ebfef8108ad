import Foundation
import Ingest
import Inventory
import Testing

struct MappingTests {
    private func mapping(_ sql: String, field: MappingField = .quantity) throws -> Mapping {
        var expressions: [MappingField: Ingest.Expression] = [.sku: Ingest.Expression(sql: "item")]
        expressions[field] = Ingest.Expression(sql: sql, file: "agent.conf", line: 12, column: 20)
        let definition = MappingDefinition(rules: [EventRule(type: .adjusted, also: false, expressions: expressions)])
        let site = try #require(SiteIdentity(tenant: "acme", site: "dc-7"))
        return try Mapping(definition, site: site, source: "m", rules: InventoryRules(), timeZone: "Europe/Berlin")
    }

    @Test func `a compile error names line, column and the nearest field`() throws {
        let mapping = try mapping("decimal(qyt)")
        let error = #expect(throws: IngestError.self) { try mapping.compile(columns: ["item", "qty"]) }
        #expect(error?.message.hasPrefix("agent.conf:12:28: no such column: qyt") == true)
        #expect(error?.hint == "did you mean \"qty\"?")
    }

    @Test(arguments: [
        "(SELECT name FROM sqlite_schema)", "load_extension('x')", "readfile('/etc/passwd')", "writefile('x', 'y')",
    ])
    func `an expression reaches nothing outside its record`(sql: String) throws {
        let mapping = try mapping(sql)
        #expect(throws: (any Error).self) { try mapping.compile(columns: ["item"]) }
    }

    @Test func `of 450 rules the first that is true applies, and what comes after it is not computed`() throws {
        let export = try Export()
        try export.append("code;item;qty\nRC;3;1\nRC;201;1\nRC;449;1\nRC;1000;1\nRC;7777;1\n")
        let pipeline = try export.pipeline {
            $0.mapping.rules = (0..<450).map { number in
                // Of those after the one that applies each would be an error.
                let fields: [MappingField: String] = [
                    .when: "CASE WHEN item + 0 < \(number) THEN decimal('x' || item) ELSE item = '\(number)' END",
                    .sku: "CASE WHEN item = '\(number)' THEN 'R\(number)' ELSE decimal('x' || item) END",
                    .quantity: "qty",
                ]
                return EventRule(
                    type: .received, also: false, expressions: fields.mapValues { Ingest.Expression(sql: $0) })
            }
            $0.mapping.ignores = [Ingest.Expression(sql: "item = '1000'")]
        }
        #expect(skus(try export.drain(pipeline)) == ["R3", "R201", "R449", "-", "!unmapped"])
    }

    @Test func `a condition is computed from the left on, no further than it decides`() throws {
        let export = try Export()
        try export.append("code;item;qty\nXX;1;abc\nSH;2;5\n")
        let pipeline = try export.pipeline {
            $0.mapping.rules[0].expressions[.when] = Ingest.Expression(sql: "code = 'SH' AND decimal(qty) > 0")
            $0.mapping.ignores = [Ingest.Expression(sql: "code = 'XX'")]
        }
        #expect(skus(try export.drain(pipeline)) == ["-", "2"])
    }

    @Test(arguments: ["max(qty)", "count(*)", "total(qty)"])
    func `an aggregate is refused: it would give a row for each record`(sql: String) throws {
        let mapping = try mapping(sql)
        let error = #expect(throws: IngestError.self) { try mapping.compile(columns: ["item", "qty"]) }
        #expect(error?.message.contains("aggregate") == true, "\(String(describing: error))")
    }

    @Test func `an unknown time zone is an error`() {
        #expect(throws: IngestError.self) {
            try Mapping(
                MappingDefinition(rules: []), site: #require(SiteIdentity(tenant: "a", site: "b")), source: "m",
                rules: InventoryRules(), timeZone: "Europe/Atlantis")
        }
    }

    /// What an expression gives of a record with the columns `item` and `qty`: the quantity's text, or the reject's code.
    private func quantity(_ sql: String, of qty: String) throws -> String {
        let export = try Export()
        try export.append("code;item;qty\nRC;1;\(qty)\n")
        let pipeline = try export.pipeline {
            $0.mapping.rules[0].expressions[.quantity] = Ingest.Expression(sql: sql)
            $0.mapping.rules[0].type = .adjusted
        }
        let outcome = try #require(try export.drain(pipeline).first?.outcome)
        switch outcome {
        case .events(let drafts): return drafts.first?.quantity?.value.description ?? "none"
        case .reject(let reason): return "!" + reason.code
        case .ignored: return "ignored"
        }
    }

    @Test(arguments: [
        ("1.234,5-", "-1234.5"), ("1.234.567", "1234567"), ("12,5", "12.5"), ("+7", "7"), ("-7", "-7"), ("(5)", "-5"),
        ("5 CR", "-5"), ("5DR", "5"), ("1 234,5", "1234.5"), ("1'234,50", "1234.5"), (" 5 ", "5"),
        ("12.34.567", "1234567"),
        ("0,000001", "0.000001"), ("5,", "5"), (",5", "0.5"), ("1.5", "!quantity"), ("1,5,5", "!quantity"),
        ("", "!quantity"), ("-", "!quantity"), ("abc", "!quantity"), ("1e5", "!quantity"), ("0,0000001", "!quantity"),
        ("1234567890123", "!overflow"), ("1.23.4", "!quantity"), ("999999999999,999999", "999999999999.999999"),
    ])
    func `decimal reads what legacy systems print, and nothing else`(text: String, wanted: String) throws {
        #expect(try quantity("decimal(qty, ',')", of: text) == wanted)
    }

    @Test(arguments: [("12345", "123.45"), ("5", "0.05"), ("5-", "-0.05"), ("1.5", "!quantity")])
    func `decimal gives a number without a mark the places that it is told`(text: String, wanted: String) throws {
        #expect(try quantity("decimal(qty, '.', 2)", of: text) == wanted)
    }

    @Test(arguments: [
        ("decimal_add(qty, '1.5')", "4.5"), ("decimal_sub(qty, '5')", "-2"), ("decimal_mul(qty, '0.5')", "1.5"),
        ("decimal_neg(qty)", "-3"), ("regex_capture('QTY=' || qty || ' EA', 'QTY=([0-9]+)')", "3"),
        ("regex_capture('a-12', '([a-z])-([0-9]+)', 2)", "12"), ("regex_capture(qty, '(x)')", "!quantity"),
        ("regex_capture(qty, '(')", "!regex"), ("strip_zeros('007')", "7"), ("lookup('none', qty)", "!lookup"),
        ("decimal_mul(qty, '999999999999')", "!overflow"),
    ])
    func `the functions of a mapping compute exactly, or reject the record`(sql: String, wanted: String) throws {
        #expect(try quantity(sql, of: "3") == wanted)
    }

    private func time(_ sql: String, of text: String) throws -> (String, TimeQuality?) {
        let export = try Export()
        try export.append("code;item;qty;at\nRC;1;5;\(text)\n")
        let pipeline = try export.pipeline {
            $0.mapping.rules[0].expressions[.occurredAt] = Ingest.Expression(sql: sql)
        }
        let outcome = try #require(try export.drain(pipeline).first?.outcome)
        switch outcome {
        case .events(let drafts): return (drafts[0].occurredAt.description, drafts[0].timeQuality)
        case .reject(let reason): return ("!" + reason.code, nil)
        case .ignored: return ("ignored", nil)
        }
    }

    @Test(arguments: [
        ("20260715120000", "2026-07-15T10:00:00.000Z", TimeQuality.resolved),
        ("20260115120000", "2026-01-15T11:00:00.000Z", .resolved),
        ("20261025023000", "2026-10-25T00:30:00.000Z", .ambiguous), ("20260329023000", "!time", nil),
        ("20260230120000", "!time", nil), ("2026071512000", "!time", nil), ("20260715250000", "!time", nil),
    ])
    func `a local time is resolved in the site's zone`(text: String, wanted: String, quality: TimeQuality?) throws {
        let (moment, found) = try time("local_time(at, 'yyyyMMddHHmmss')", of: text)
        #expect(moment == wanted)
        #expect(found == quality)
    }

    @Test func `times around every transition resolve the same, read in a row or alone`() throws {
        let minutes = stride(from: 0, to: 60, by: 7).map { $0 < 10 ? "0\($0)" : "\($0)" }
        let days = ["20260328", "20260329", "20261024", "20261025", "20261026"]
        let texts = days.flatMap { day in (0..<5).flatMap { hour in minutes.map { "\(day)0\(hour)\($0)00" } } }
        let export = try Export()
        try export.append("code;item;qty;at\n" + texts.map { "RC;1;5;\($0)\n" }.joined())
        let expression = Ingest.Expression(sql: "local_time(at, 'yyyyMMddHHmmss')")
        let pipeline = try export.pipeline { $0.mapping.rules[0].expressions[.occurredAt] = expression }
        let together = try export.drain(pipeline).map { record -> String in
            guard case .events(let drafts) = record.outcome else { return "!time" }
            return drafts[0].occurredAt.description
        }
        for (text, moment) in zip(texts, together) where text.hasSuffix("0000") || text.hasSuffix("2800") {
            #expect(try time(expression.sql, of: text).0 == moment, "\(text)")
        }
        #expect(together.count == texts.count)
    }

    @Test(arguments: [
        ("local_time(at, 'yyyy-MM-dd')", "2026-07-15", "2026-07-14T22:00:00.000Z", TimeQuality.dateOnly),
        ("utc_time(at, 'yyyy-MM-dd HH:mm')", "2026-07-15 12:30", "2026-07-15T12:30:00.000Z", .exact),
        ("utc_time(at, 'dd.MM.yy HH:mm')", "15.07.26 12:30", "2026-07-15T12:30:00.000Z", .exact),
        ("utc_time(at, 'CyyMMddHHmm')", "12607151230", "2026-07-15T12:30:00.000Z", .exact),
        ("utc_time(at, 'CyyMMddHHmm')", "09912312359", "1999-12-31T23:59:00.000Z", .exact),
        ("utc_time(at, 'dd.MM.yy')", "15.07.2026", "!time", nil),
        ("utc_time(at, 'yyyy-MM-dd HH:mm UTC')", "2026-07-15 12:30 UTC", "2026-07-15T12:30:00.000Z", .exact),
        ("at", "2026-07-15T12:30:00+02:00", "2026-07-15T10:30:00.000Z", .exact), ("at", "20260715", "!time", nil),
    ])
    func `a time says how well it is known`(sql: String, text: String, wanted: String, quality: TimeQuality?) throws {
        let (moment, found) = try time(sql, of: text)
        #expect(moment == wanted)
        #expect(found == quality)
    }

    @Test func `a lookup table that changes counts for the records to come, under a new mapping version`() throws {
        let export = try Export()
        let units = export.directory + "/units.csv"
        try export.append("code,unit\nST,EA\n", to: "units.csv")
        try export.append("code;item;qty\nRC;ST;1\nRC;KG;1\n")
        let pipeline = try export.pipeline {
            $0.mapping.lookups = ["uom": units]
            $0.mapping.rules[0].expressions[.uom] = Ingest.Expression(sql: "lookup('uom', item)")
        }
        let version = pipeline.mappingVersion
        #expect(skus(try export.drain(pipeline)) == ["ST", "!lookup"])
        try export.append("KG,KGM\n", to: "units.csv")
        try export.append("RC;KG;2\n")
        #expect(skus(try export.drain(pipeline, at: 1_000)) == ["KG"])
        #expect(pipeline.mappingVersion != version)
        try FileManager.default.removeItem(atPath: units)
        try export.append("RC;KG;3\n")
        #expect(skus(try export.drain(pipeline, at: 2_000)) == ["KG"])
    }

    @Test func `a reversal negates the type that it takes back, and names the record`() throws {
        let export = try Export()
        try export.append("code;item;qty;of\nRX;1;5;TXN-1\nRX;2;5;\n")
        let pipeline = try export.pipeline {
            $0.mapping.rules = [
                EventRule(
                    type: .reversed, also: false,
                    expressions: [
                        .sku: Ingest.Expression(sql: "item"), .quantity: Ingest.Expression(sql: "qty"),
                        .reverses: Ingest.Expression(sql: "of"),
                    ], reversedType: .received)
            ]
        }
        let records = try export.drain(pipeline)
        #expect(skus(records) == ["1", "!reversed"])
        guard case .events(let drafts)? = records.first?.outcome else { return }
        #expect(drafts[0].reverses == "TXN-1")
        #expect(drafts[0].changes.map(\.delta.description) == ["-5"])
    }

    @Test func `a reason code is translated, and the source's own kept`() throws {
        let export = try Export()
        try export.append("code;item;qty;why\nRC;1;5;W7\nRC;2;5;scrap\nRC;3;5;??\n")
        let pipeline = try export.pipeline {
            $0.mapping.reasons = ["W7": "receipt"]
            $0.mapping.rules[0].expressions[.reason] = Ingest.Expression(sql: "why")
        }
        let reasons = try export.drain(pipeline).map { record -> String in
            guard case .events(let drafts) = record.outcome, let reason = drafts[0].reason else { return "none" }
            return "\(reason.code) \(reason.sourceCode ?? "")"
        }
        #expect(reasons == ["receipt W7", "scrap scrap", "unknown ??"])
    }

    @Test func `quantities become base units by the table of units, exactly or not at all`() throws {
        let export = try Export()
        try export.append("sku,uom,numerator,denominator\n1,EA,1,1\n1,CS,12,1\n1,G3,1,3\n", to: "units.csv")
        try export.append(
            "code;item;qty;unit\nRC;1;2,5;CS\nRC;1;3;EA\nRC;1;9;G3\nRC;1;1;G3\nRC;1;1;PAL\nRC;2;1;EA\n")
        let pipeline = try export.pipeline {
            $0.mapping.units = export.directory + "/units.csv"
            $0.mapping.rules[0].expressions[.uom] = Ingest.Expression(sql: "unit")
        }
        let found = try export.drain(pipeline).map { record -> String in
            guard case .events(let drafts) = record.outcome, let quantity = drafts[0].quantity else {
                return skus([record])[0]
            }
            let original = "\(quantity.originalValue ?? "-") \(quantity.originalUnit ?? "-")"
            return "\(quantity.value) \(quantity.unit ?? "-") of \(original), \(drafts[0].changes[0].delta)"
        }
        let wanted = ["30 EA of 2.5 CS, 30", "3 EA of 3 EA, 3", "3 EA of 9 G3, 3", "!uom", "!uom", "!uom"]
        #expect(found == wanted, "\(found)")
    }

    @Test(arguments: ["1,EA,0,1\n", "1,EA,1\n", "1,EA,x,1\n", "1,\"EA,1,1\n"])
    func `a table with a row that cannot be read is an error, not a shorter table`(row: String) throws {
        let export = try Export()
        try export.append("sku,uom,numerator,denominator\n" + row, to: "units.csv")
        #expect(throws: IngestError.self) {
            try export.pipeline { $0.mapping.units = export.directory + "/units.csv" }
        }
    }
}
