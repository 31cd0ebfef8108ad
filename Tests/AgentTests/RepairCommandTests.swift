import Foundation
import OwnThread
import SQLite
import Testing

@testable import Agent

/// What technicians send again and look at, as they type it.
@Suite(.ownThread) struct RepairCommandTests {
    private func play(_ body: (AgentSite) throws -> Void) throws {
        let site = try AgentSite(lines: [AgentSite.receipt(1), AgentSite.receipt(2, quantity: "2,5")])
        let agent = try site.start {
            $0.replacingOccurrences(of: "requesters = []", with: "requesters = [\"ingest\"]")
        }
        defer { agent.shutDown() }
        _ = try site.wait { $0.lanes.contains { $0.head == 2 } }
        try body(site)
    }

    private func run(_ words: [String], _ site: AgentSite) throws -> Program.Answer {
        try Program.run(words + ["--socket", site.socket])
    }

    @Test func `stock shows a SKU's balances, and says what to do where there are none`() throws {
        try play { site in
            let answer = try run(["stock", "1001"], site)
            #expect(answer.code == 0 && answer.out.contains("W1-B1") && answer.out.contains("7.5"), "\(answer)")
            let json = try run(["stock", "1001", "--json"], site)
            #expect(json.out.contains(#""unrestricted":"7.5""#) && json.out.contains(#""schema":1"#))
            let none = try run(["stock", "no/such&SKU"], site)
            #expect(none.code == 5 && none.errors.split(separator: "\n").count == 3, "\(none)")
        }
    }

    @Test func `why tells records, events and what waits, in the order of time`() throws {
        try play { site in
            let answer = try run(["why", "1001", "--location", "W1-B1"], site)
            let lines = answer.out.split(separator: "\n")
            #expect(answer.code == 0 && lines.count == 6, "\(answer)")
            #expect(lines.contains { $0.contains("moves.csv at ") && $0.contains("its own id T-1") })
            #expect(lines.contains { $0.contains("unrestricted +5 at W1-B1") })
            #expect(lines.filter { $0.contains("not acked by the broker yet") }.count == 2)
            #expect(try run(["why", "100"], site).code == 5)
            #expect(try run(["why", "1001", "--location", "W1"], site).code == 5)
        }
    }

    @Test func `a reset begins a new epoch, asks first, and is audited under the unix user`() throws {
        try play { site in
            let before = try site.status().epoch
            let dry = try run(["outbox", "reset", "--dry-run"], site)
            #expect(dry.code == 0 && dry.out.contains("2 events that wait"))
            let unasked = try run(["outbox", "reset"], site)
            #expect(unasked.code == 6 && unasked.errors.contains("dc-1"), "\(unasked)")
            #expect(try site.status().epoch == before)
            let answer = try run(["outbox", "reset", "--yes"], site)
            #expect(answer.code == 0 && answer.out.contains("2 events moved"), "\(answer)")
            #expect(try site.status().epoch > before)
            let audit = try run(["audit", "--json"], site)
            #expect(audit.out.contains(#""action":"epoch""#) && audit.out.contains("(\(getuid()))"), "\(audit)")
        }
    }

    @Test func `what cannot be sent again is said in three lines, with exit 5`() throws {
        try play { site in
            for words in [
                ["replay", "--lane", "standard"], ["replay", "--lane", "express"],
                ["replay", "--lane", "standard", "--epoch", "20200101T000000Z-0000"],
                ["resync", "--to-requester", "nobody", "--all"],
            ] {
                let answer = try run(words, site)
                #expect(answer.code == 5 && answer.errors.split(separator: "\n").count == 3, "\(words): \(answer)")
            }
            #expect(try run(["resync", "--to-requester", "ingest"], site).code == 2)
            let dry = try run(["resync", "--to-requester", "ingest", "--sku", "10", "--dry-run"], site)
            #expect(dry.code == 0 && dry.out.contains("SKU 10…"), "\(dry)")
        }
    }

    @Test func `salvage tells what it read and exits 7 where something could not be read`() throws {
        try play { site in
            let outbox = site.directory + "/data/outbox.sqlite"
            let whole = try Program.run(["outbox", "salvage", outbox])
            #expect(whole.code == 0 && whole.out.contains(#""kind":"event""#), "\(whole)")
            #expect(
                whole.out.split(separator: "\n").allSatisfy {
                    (try? JSONSerialization.jsonObject(with: Data($0.utf8))) != nil
                })
            #expect(try Program.run(["outbox", "salvage", site.directory + "/none"]).code == 5)
            let connection = try Connection(path: outbox, mode: .readWriteCreate)
            try connection.execute("UPDATE events SET payload = x'7B22' WHERE slot = (SELECT max(slot) FROM events)")
            let damaged = try Program.run(["outbox", "salvage", outbox])
            #expect(damaged.code == 7 && damaged.out.contains(#""damaged_base64":"eyI=""#), "\(damaged)")
            #expect(damaged.errors.contains("the bytes of standard 2 of "))
        }
    }

    @Test func `a receiver's command line is refused in words`() throws {
        let site = try AgentSite()
        let db = site.directory + "/r.sqlite"
        let base = ["receive", "--tenant", "acme", "--db", db, "--as", "ingest"]
        for (more, words) in [
            (["--broker", "http://x"], "mqtts://host:8883"),
            (["--broker", "mqtt://h", "--shards", "3f-00"], "such as 00-3f"),
            (["--broker", "mqtt://h", "--password-file", "/none"], "cannot be read"),
            (["--broker", "mqtt://h", "--sign-key", db], "cannot be read"),
        ] {
            let answer = try Program.run(base + more)
            #expect(answer.code == 78 && answer.errors.contains(words), "\(answer)")
            #expect(answer.errors.split(separator: "\n").count == 3)
        }
        #expect(try Program.run(base + ["--broker", "mqtt://h", "--receipts", "often"]).code == 2)
        #expect(try Program.run(["receive", "stock", "--db", site.directory + "/none"]).code == 78)
    }
}
