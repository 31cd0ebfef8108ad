import Foundation
import Ingest
import Inventory
import Testing

struct StockCheckTests {
    private let site: DropSite
    private let stock = LedgerStock()
    private let header = "item;bin;lot;qty;bad\n"

    init() throws {
        site = try DropSite()
        site.pattern = "stock_{yyyyMMddHHmm}.csv"
        site.makeFull { $0.checks = "moves" }
        site.fields[.lot] = "lot"
        site.fields[.damaged] = "decimal(bad)"
        site.stock = stock
        // 12:00 in Berlin, an hour after the export's time.
        site.now = try #require(Timestamp(rfc3339: "2026-11-26T11:00:00Z"))
    }

    private func dump(_ rows: [String], hour: Int = 11) throws {
        try site.drop(
            header + rows.map { $0 + "\n" }.joined(), as: "stock_20261126\(hour < 10 ? "0" : "")\(hour)00.csv")
    }

    private func drifts(_ records: [CapturedRecord]) -> [StockDrift] {
        records.flatMap { record in
            if case .events(let drafts) = record.outcome { drafts.compactMap(\.drift) } else { [StockDrift]() }
        }
    }

    private func told(_ records: [CapturedRecord]) -> [String] {
        drifts(records).map { drift in
            let figures = drift.figures.map { "\($0.bucket.name) \($0.expected)>\($0.actual)" }
            return
                "\(drift.key.sku)@\(drift.key.location)/\(drift.key.lot) \(figures.joined(separator: " ")) \(drift.cause.rawValue)"
        }
    }

    @Test func `stock that agrees says nothing, and the export posts nothing`() throws {
        try stock.put("S1", "A", [.unrestricted: "5", .damaged: "0"])
        try dump(["S1;A;;5;0"])
        #expect(levels(try site.drain()).isEmpty)
    }

    @Test
    func `a difference is told once with both figures, again when it is another one, and no more when it is gone`()
        throws
    {
        try stock.put("S1", "A", [.unrestricted: "5", .damaged: "0"])
        try dump(["S1;A;;8;0"], hour: 9)
        let first = try site.drain()
        #expect(told(first) == ["S1@A/ unrestricted 5>8 unknown"])
        #expect(drifts(first)[0].asOf == Timestamp(rfc3339: "2026-11-26T08:00:00Z"))
        try dump(["S1;A;;8;0", "S2;A;;0;0"], hour: 10)
        #expect(told(try site.drain()).isEmpty)
        try dump(["S1;A;;9;0", "S2;A;;0;0"], hour: 11)
        #expect(told(try site.drain()) == ["S1@A/ unrestricted 5>9 unknown"])
    }

    @Test func `a key that was touched lately is left for the next export where the journal does not tell how`() throws
    {
        let asOf = try #require(Timestamp(rfc3339: "2026-11-26T10:00:00Z")).milliseconds
        try stock.put("S1", "A", [.unrestricted: "5", .damaged: "0"], touched: asOf - 14 * 60_000)
        try stock.put("S2", "A", [.unrestricted: "5", .damaged: "0"], touched: asOf - 16 * 60_000)
        try dump(["S1;A;;8;0", "S2;A;;8;0"])
        #expect(told(try site.drain()) == ["S2@A/ unrestricted 5>8 unknown"])
    }

    @Test func `an export of just now waits until what is on its way has arrived`() throws {
        site.now = try #require(Timestamp(rfc3339: "2026-11-26T10:00:30Z"))
        try stock.put("S1", "A", [.unrestricted: "5", .damaged: "0"])
        try dump(["S1;A;;8;0"])
        #expect(told(try site.drain()).isEmpty)
        #expect(site.last?.status == "ok")
        site.now = try #require(Timestamp(rfc3339: "2026-11-26T10:01:00Z"))
        #expect(told(try site.drain()).count == 1)
    }

    @Test func `an export waits until the ledger's source has told all up to its time, and is left where it does not`()
        throws
    {
        try stock.put("S1", "A", [.unrestricted: "5", .damaged: "0"])
        let since = try at("03:00:00")
        site.reach = LedgerReach(since: since, at: try at("10:00:59.999"))
        try dump(["S1;A;;8;0"])
        #expect(told(try site.drain()).isEmpty)
        #expect(site.last?.status == "waiting: moves has not told all up to 2026-11-26T10:00:00.000Z yet")
        site.reach = LedgerReach(since: since, at: try at("10:01:00"))
        #expect(told(try site.drain()).count == 1)
        try dump(["S1;A;;9;0"], hour: 12)
        site.now = try at("12:00:00")
        _ = try site.drain()
        site.clock += 600_000
        #expect(told(try site.drain()).isEmpty)
        #expect(site.notices.last == "stock_202611261200.csv is not compared: moves has not told all up to its time")
        #expect(site.last?.status == "ok")
        let reason = try #require(try CheckReport.notCompared(of: "stock", in: site.data))
        #expect(reason.hasPrefix("stock_202611261200.csv is not compared: moves has not told all up to its time"))
        site.reach = LedgerReach(since: since, at: try at("11:30:00"))
        try dump(["S1;A;;9;1"], hour: 12)
        _ = try site.drain()
        #expect(try CheckReport.notCompared(of: "stock", in: site.data) == nil)
    }

    @Test
    func `a move that tells no time leaves its key where the ledger's source was not caught up all the time`() throws {
        for sku in ["TIMED", "UNTIMED"] { try stock.put(sku, "A", [.unrestricted: "10", .damaged: "0"]) }
        try stock.move("TIMED", "A", [.unrestricted: "-3"], at: try at("10:40:00"))
        try stock.move("UNTIMED", "A", [.unrestricted: "-3"], at: try at("10:40:00"), quality: .captured)
        try dump(["TIMED;A;;7;0", "UNTIMED;A;;7;0"])
        site.reach = LedgerReach(since: try at("10:39:00"), at: try at("10:50:00"))
        #expect(told(try site.drain()) == ["TIMED@A/ unrestricted 10>7 unknown"])
        site.restart()
        site.reach = LedgerReach(since: try at("09:45:00"), at: try at("10:50:00"))
        try dump(["TIMED;A;;7;0", "UNTIMED;A;;7;0", "S;A;;0;0"])
        #expect(told(try site.drain()) == ["UNTIMED@A/ unrestricted 10>7 unknown"])
    }

    @Test func `moves of buckets that the export does not speak of say nothing`() throws {
        try stock.put("S1", "A", [.unrestricted: "5", .damaged: "0"])
        try stock.move("S1", "A", [.allocated: "1"], at: try at("10:00:00"))
        try dump(["S1;A;;8;0"])
        #expect(told(try site.drain()) == ["S1@A/ unrestricted 5>8 unknown"])
    }

    @Test func `what was in flight and still differs is told with its cause`() throws {
        try stock.put("S1", "A", [.unrestricted: "10", .damaged: "0"])
        try stock.move("S1", "A", [.unrestricted: "-2"], at: try at("08:01:00"))
        try dump(["S1;A;;15;0"], hour: 9)
        #expect(told(try site.drain()) == ["S1@A/ unrestricted 10>15 in_flight"])
        try stock.move("S1", "A", [.unrestricted: "2"], at: try at("08:30:00"))
        try dump(["S1;A;;15;0", "S2;A;;0;0"], hour: 10)
        #expect(told(try site.drain()) == ["S1@A/ unrestricted 10>15 unknown"])
    }

    @Test func `a bucket that the ledger does not know takes the export's figure as its baseline`() throws {
        try stock.put("S1", "A", [.unrestricted: "5"])
        try dump(["S1;A;;5;2", "S2;B;;7;0"])
        #expect(levels(try site.drain()) == ["S1@A=2", "S2@B=7,0"])
    }

    @Test func `what only the ledger knows differs by all of it`() throws {
        try stock.put("S1", "A", [.unrestricted: "5", .damaged: "0"])
        try stock.put("S9", "Z", [.unrestricted: "3", .damaged: "0"])
        try dump(["S1;A;;5;0"])
        #expect(told(try site.drain()) == ["S9@Z/ unrestricted 3>0 unknown"])
    }

    @Test func `the cause is named by what else is known of the SKU`() throws {
        try stock.put("SIGN", "A", [.unrestricted: "-5", .damaged: "0"])
        try stock.put("STATUS", "A", [.unrestricted: "5", .damaged: "0"])
        try stock.put("LOT", "A", [.unrestricted: "5", .damaged: "0"], lot: "L1")
        try stock.put("BIN", "A", [.unrestricted: "5", .damaged: "0"])
        try stock.put("UNIT", "A", [.unrestricted: "5", .damaged: "0"])
        let units = site.directory + "/units.csv"
        try Data("sku,uom,numerator,denominator\nUNIT,EA,1,1\nUNIT,CS,12,1\n".utf8).write(
            to: URL(fileURLWithPath: units))
        site.change = { $0.mapping.units = units }
        try dump(["SIGN;A;;5;0", "STATUS;A;;3;2", "LOT;A;L2;5;0", "BIN;B;;5;0", "UNIT;A;;60;0"])
        #expect(
            Set(told(try site.drain())) == [
                "SIGN@A/ unrestricted -5>5 sign_error",
                "STATUS@A/ unrestricted 5>3 damaged 0>2 status_mismatch",
                "LOT@A/L1 unrestricted 5>0 lot_mismatch",
                "BIN@A/ unrestricted 5>0 location_mismatch",
                "UNIT@A/ unrestricted 5>60 uom_factor",
            ])
    }

    @Test func `a change of the export that the ledger has no event for is a missing event`() throws {
        try stock.put("S1", "A", [.unrestricted: "5", .damaged: "0"])
        try dump(["S1;A;;5;0"], hour: 9)
        _ = try site.drain()
        try dump(["S1;A;;4;0"], hour: 10)
        #expect(told(try site.drain()) == ["S1@A/ unrestricted 5>4 missing_event"])
    }

    @Test func `a check that is asked for compares again, and a fix makes the stock what the export says`() throws {
        try stock.put("S1", "A", [.unrestricted: "5", .damaged: "0"])
        try dump(["S1;A;;8;0"], hour: 9)
        _ = try site.drain()
        site.restart()
        site.reconcile = ReconcileRequest(at: Timestamp(milliseconds: 1_000), isFix: false)
        #expect(told(try site.drain()).isEmpty)
        site.restart()
        site.reconcile = ReconcileRequest(at: Timestamp(milliseconds: 2_000), isFix: true)
        #expect(levels(try site.drain()) == ["S1@A+=3"])
        site.restart()
        #expect(levels(try site.drain()).isEmpty)
    }

    @Test func `a kill within a check tells each difference once`() throws {
        for number in 1...600 { try stock.put("S\(number)", "A", [.unrestricted: "5", .damaged: "0"]) }
        try dump((1...600).map { "S\($0);A;;\($0 % 2 == 0 ? 5 : 6);0" })
        var found: [String] = []
        for round in 0..<60 {
            site.clock += 1_000
            let isCrash = round % 11 == 0
            let read = told(try site.read(commits: !isCrash).batch?.records ?? [])
            if !isCrash { found += read }
            if isCrash || round % 13 == 0 { site.restart() }
        }
        #expect(Set(found).count == 300 && found.count == 300)
    }

    // MARK: what the journal tells

    private func at(_ time: String) throws -> Timestamp {
        try #require(Timestamp(rfc3339: "2026-11-26T\(time)Z"))
    }

    @Test func `a key that moved since is compared as it stood at the export's time`() throws {
        try stock.put("SAME", "A", [.unrestricted: "10", .damaged: "0"])
        try stock.put("OTHER", "A", [.unrestricted: "10", .damaged: "0"])
        for sku in ["SAME", "OTHER"] {
            try stock.move(sku, "A", [.unrestricted: "-3"], at: try at("09:30:00"))
            try stock.move(sku, "A", [.unrestricted: "-2"], at: try at("10:20:00"))
            try stock.move(sku, "A", [.unrestricted: "-1", .damaged: "1"], at: try at("10:40:00"))
        }
        try dump(["SAME;A;;7;0", "OTHER;A;;9;0"])
        #expect(told(try site.drain()) == ["OTHER@A/ unrestricted 7>9 unknown"])
    }

    @Test func `a key agrees when it held the export's figures at any moment around the export's time`() throws {
        for sku in ["BEFORE", "AFTER", "NEVER"] {
            try stock.put(sku, "A", [.unrestricted: "10", .damaged: "0"])
            try stock.move(sku, "A", [.unrestricted: "-3"], at: try at("09:50:00"))
            try stock.move(sku, "A", [.unrestricted: "-2"], at: try at("10:00:30"))
        }
        try dump(["BEFORE;A;;10;0", "AFTER;A;;5;0", "NEVER;A;;8;0"])
        #expect(told(try site.drain()) == ["NEVER@A/ unrestricted 7>8 in_flight"])
    }

    @Test func `a fix goes by what moved since, and leaves what is in flight`() throws {
        for sku in ["MOVED", "FLYING"] {
            try stock.put(sku, "A", [.unrestricted: "10", .damaged: "0"])
            try stock.move(sku, "A", [.unrestricted: "-2"], at: try at(sku == "MOVED" ? "10:30:00" : "10:01:00"))
        }
        try dump(["MOVED;A;;15;0", "FLYING;A;;15;0"])
        #expect(
            Set(told(try site.drain())) == [
                "MOVED@A/ unrestricted 10>15 unknown", "FLYING@A/ unrestricted 10>15 in_flight",
            ])
        site.restart()
        site.reconcile = ReconcileRequest(at: Timestamp(milliseconds: 1_000), isFix: true)
        #expect(levels(try site.drain()) == ["MOVED@A+=5"])
    }

    @Test func `a level, an event that is not kept and a version that the journal does not know leave the key`() throws
    {
        for sku in ["LEVEL", "BEHIND", "GAP"] { try stock.put(sku, "A", [.unrestricted: "10", .damaged: "0"]) }
        try stock.level("LEVEL", "A", [.unrestricted: "6"], at: try at("09:55:00"))
        try stock.move("BEHIND", "A", [.unrestricted: "-4"], at: try at("10:20:00"))
        stock.touch("BEHIND", "A", at: try at("10:21:00"))
        try stock.move("GAP", "A", [.unrestricted: "-4"], at: try at("10:20:00"))
        stock.touch("GAP", "A", at: try at("10:21:00"))
        try stock.move("GAP", "A", [.unrestricted: "-1"], at: try at("10:22:00"))
        try dump(["LEVEL;A;;8;0", "BEHIND;A;;8;0", "GAP;A;;8;0"])
        #expect(told(try site.drain()).isEmpty)
    }

    @Test func `the cause is named by the event that explains the difference`() throws {
        let units = site.directory + "/units.csv"
        try Data("sku,uom,numerator,denominator\nUNIT,EA,1,1\nUNIT,CS,12,1\n".utf8).write(
            to: URL(fileURLWithPath: units))
        site.change = { $0.mapping.units = units }
        for sku in ["SIGN", "TWICE", "ONCE", "UNIT"] { try stock.put(sku, "A", [.unrestricted: "50", .damaged: "0"]) }
        try dump(["SIGN;A;;50;0", "TWICE;A;;50;0", "ONCE;A;;50;0", "UNIT;A;;50;0"], hour: 9)
        #expect(told(try site.drain()).isEmpty)
        for sku in ["SIGN", "TWICE", "TWICE", "ONCE", "UNIT"] {
            try stock.move(sku, "A", [.unrestricted: "-3"], at: try at("08:10:00"))
        }
        // The export does not know of ONCE's move at all: nobody counted it twice.
        try dump(["SIGN;A;;53;0", "TWICE;A;;47;0", "ONCE;A;;50;0", "UNIT;A;;14;0"], hour: 10)
        #expect(
            Set(told(try site.drain())) == [
                "SIGN@A/ unrestricted 47>53 sign_error", "TWICE@A/ unrestricted 44>47 duplicate_event",
                "ONCE@A/ unrestricted 47>50 unknown", "UNIT@A/ unrestricted 47>14 uom_factor",
            ])
        // The events are out of sight, and what they explained is not forgotten.
        try dump(["SIGN;A;;53;0", "TWICE;A;;47;0", "ONCE;A;;50;0", "UNIT;A;;14;0", "NEW;A;;0;0"], hour: 11)
        #expect(told(try site.drain()).isEmpty)
        let report = try #require(try CheckReport(of: "stock", in: site.data))
        #expect(report.lines.map(\.cause) == ["unknown", "sign_error", "duplicate_event", "uom_factor"])
    }
}
