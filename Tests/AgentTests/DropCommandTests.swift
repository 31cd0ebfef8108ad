import Foundation
import Inventory
import OwnThread
import Testing

@testable import Agent

/// Drop directories and full exports beside a running agent, by its commands.
@Suite(.ownThread) struct DropCommandTests {
    private static let stock = """

        [[source]]
        name = "stock"
        kind = "drop"
        path = "in/stock_{seq}.csv"
        complete = "renamed"
        mode = "full"
        checks = "moves"
        format = { type = "csv", delimiter = ";" }
        [[source.event]]
        type = "stock.level"
        sku = "item"
        location = "bin"
        unrestricted = "decimal(qty)"
        """

    private func drop(_ rows: [String], as name: String, _ site: AgentSite, age: TimeInterval = 0) throws {
        try FileManager.default.createDirectory(atPath: site.directory + "/in", withIntermediateDirectories: true)
        let part = site.directory + "/in/.part"
        try Data(("item;bin;qty\n" + rows.map { $0 + "\n" }.joined()).utf8).write(to: URL(fileURLWithPath: part))
        try FileManager.default.setAttributes([.modificationDate: Date() - age], ofItemAtPath: part)
        rename(part, site.directory + "/in/" + name)
    }

    private func run(_ arguments: [String], _ site: AgentSite) throws -> Program.Answer {
        try Program.run(arguments + ["--socket", site.socket])
    }

    private func wait(_ body: () throws -> Bool) throws -> Bool {
        let deadline = Clocks.monotonic() + 10_000
        while Clocks.monotonic() < deadline { if try body() { return true } }
        return false
    }

    @Test func `a held export is accepted by a command, and what became of it is in the audit log`() throws {
        let site = try AgentSite()
        let agent = try site.start { $0 + Self.stock.replacing("checks = \"moves\"\n", with: "") }
        defer { agent.shutDown() }
        try drop(["1001;A;5", "1002;A;7"], as: "stock_1.csv", site)
        #expect(try wait { try run(["stock", "1002"], site).out.contains("7") })
        try drop(["1001;A;5"], as: "stock_2.csv", site)
        #expect(try wait { try run(["sources", "stock"], site).out.contains("known keys are gone") })
        #expect(try run(["status"], site).out.contains("waybill sources accept stock"))
        let plan = try run(["sources", "accept", "stock", "--dry-run"], site)
        #expect(plan.code == 0 && plan.out.contains("stock_2.csv is read as it is"), "\(plan)")
        #expect(try run(["sources", "accept", "stock", "--yes"], site).code == 0)
        #expect(try wait { try run(["stock", "1002", "--json"], site).out.contains(#""unrestricted":"0""#) })
        #expect(try run(["audit"], site).out.contains("accepted stock_2.csv"))
        #expect(try run(["sources", "accept", "stock", "--yes"], site).code == 5)
        try drop(["1001;A;6"], as: "Stock_0.csv", site)
        #expect(try wait { try run(["sources", "files", "stock"], site).out.contains("refused") })
        let files = try run(["sources", "files", "stock"], site)
        let names = files.out.split(separator: "\n").map {
            $0.split(separator: " ").prefix(3).suffix(2).joined(separator: " ")
        }
        #expect(names == ["refused Stock_0.csv", "read stock_2.csv", "read stock_1.csv"], "\(files)")
        #expect(files.out.contains("older"), "\(files)")
        let refused = try run(["sources", "files", "stock", "--not-read", "--name", "STOCK_", "--json"], site)
        #expect(refused.out.contains(#""name":"Stock_0.csv""#) && !refused.out.contains("stock_2"), "\(refused)")
        #expect(try run(["sources", "files", "moves"], site).code == 5)
        #expect(try run(["sources", "files", "nobody"], site).code == 5)
    }

    @Test func `an export that checks the ledger tells what differs, as words, CSV and JSON, and a fix mends it`()
        throws
    {
        let site = try AgentSite(lines: [AgentSite.receipt(1)])
        let agent = try site.start { $0 + Self.stock }
        defer { agent.shutDown() }
        #expect(try wait { try run(["stock", "1001"], site).out.contains("5") })
        #expect(try run(["reconcile"], site).out.contains("no export was compared yet"))
        // The ledger touched the key just now: nobody can tell yet.
        try drop(["1001;W1-B1;9"], as: "stock_1.csv", site, age: 120)
        #expect(try wait { try run(["reconcile"], site).out.contains("1 touched lately") })
        // Its time lies ahead of the touch by more than the margin only for a clock that goes on; a key that was never
        // touched is compared at once.
        try drop(["1001;W1-B1;9", "2002;W1-B1;3"], as: "stock_2.csv", site, age: 110)
        #expect(try wait { try run(["reconcile", "--json"], site).out.contains(#""compared":2"#) })
        let words = try run(["reconcile", "stock"], site)
        #expect(words.out.contains("stock checks moves") && words.out.contains("stock_2.csv"), "\(words)")
        let table = try run(["reconcile", "--csv"], site)
        #expect(table.out.hasPrefix("source,sku,location,lot,owner,bucket,expected,actual,cause,since\n"))
        #expect(try run(["reconcile", "stock", "--fix", "--dry-run"], site).out.contains("would: "))
        #expect(try run(["reconcile", "stock", "--check"], site).code == 0)
        #expect(try run(["audit"], site).out.contains("reconcile"))
        #expect(try run(["reconcile", "nobody"], site).code == 5)
    }
}
