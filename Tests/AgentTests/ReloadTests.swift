import Foundation
import Inventory
import OwnThread
import Testing

@testable import Agent

@Suite(.ownThread) struct ReloadTests {
    @Test func `a reload changes the mapping from the next record on, and the connection stays`() throws {
        let site = try AgentSite(lines: [AgentSite.receipt(1), AgentSite.receipt(2, code: "ZZ")])
        let agent = try site.start()
        defer { agent.shutDown() }
        _ = try site.wait { $0.sources.first?.rejects == 1 && $0.lanes.contains { $0.head == 1 } }
        let mended = { (text: String) in
            text.replacingOccurrences(of: "code = 'RC'", with: "code in ('RC', 'ZZ')")
        }
        #expect(try agent.reload(try site.configuration(mended)) == [])
        try site.append([AgentSite.receipt(3, code: "ZZ")])
        let status = try site.wait { $0.lanes.contains { $0.head == 2 } }
        #expect(status.sources.first?.rejects == 1)
        let retried = try site.client.post(OutcomeDocument.self, "/v1/rejects/1/retry")
        #expect(retried.outcome == "posted")
    }

    @Test func `a reload adds a source and takes one away`() throws {
        let site = try AgentSite(lines: [AgentSite.receipt(1)])
        try site.append([DemoWarehouse.header, AgentSite.receipt(2)], to: "other.csv")
        let agent = try site.start()
        defer { agent.shutDown() }
        _ = try site.wait { $0.lanes.contains { $0.head == 1 } }
        let other = { (text: String) in
            text.replacingOccurrences(of: "\"moves\"", with: "\"other\"")
                .replacingOccurrences(of: "moves.csv", with: "other.csv")
        }
        _ = try agent.reload(try site.configuration(other))
        let status = try site.wait { $0.lanes.contains { $0.head == 2 } }
        #expect(status.sources.map(\.name) == ["other"])
    }

    @Test func `what counts from the start on is named, and the rest is taken`() throws {
        let site = try AgentSite()
        let agent = try site.start()
        defer { agent.shutDown() }
        let changed = { (text: String) in
            text.replacingOccurrences(of: "backoff =", with: "window = 7\nbackoff =")
                .replacingOccurrences(of: "reserve = \"1MiB\"", with: "reserve = \"1MiB\"\nlimit = \"64MiB\"")
        }
        let notices = try agent.reload(try site.configuration(changed))
        #expect(notices == ["[mqtt, lanes] changed: it takes effect at the next start"])
        #expect(try site.client.get(OutboxDocument.self, "/v1/outbox").limitBytes == 64 << 20)
    }

    @Test func `a source whose file lost a column is held alone, and goes on when it is mended`() throws {
        let site = try AgentSite(lines: [AgentSite.receipt(1)])
        let second = { (text: String) -> String in
            let source = text.components(separatedBy: "[[source]]")[1]
                .replacingOccurrences(of: "\"moves\"", with: "\"other\"")
                .replacingOccurrences(of: "moves.csv", with: "other.csv")
            return text + "\n[[source]]" + source
        }
        try site.append(["txn_no;code", "T-1;RC"], to: "other.csv")
        let agent = try site.start(second)
        defer { agent.shutDown() }
        let held = try site.wait { status in
            status.lanes.contains { $0.head == 1 } && status.reasons.contains { $0.contains("source other: held") }
        }
        #expect(held.sources.first { $0.name == "moves" }?.status == "ok", "\(held)")
        #expect(held.reasons.contains { $0.contains("no such column") }, "\(held.reasons)")
        try site.append([AgentSite.receipt(2)])
        _ = try site.wait { $0.lanes.contains { $0.head == 2 } }
        try FileManager.default.removeItem(atPath: site.directory + "/other.csv")
        try site.append([DemoWarehouse.header, AgentSite.receipt(9)], to: "other.csv")
        let mended = try site.wait { $0.lanes.contains { $0.head == 3 } }
        #expect(mended.lanes.contains { $0.head == 3 }, "\(mended)")
    }

    @Test func `a corrected record takes the reject's place under its own identity`() throws {
        let site = try AgentSite(lines: [AgentSite.receipt(1, quantity: "many")])
        let agent = try site.start()
        defer { agent.shutDown() }
        _ = try site.wait { $0.sources.first?.rejects == 1 }
        let retried = try site.client.post(
            OutcomeDocument.self, "/v1/rejects/1/retry", content: Array(AgentSite.receipt(1).utf8))
        #expect(retried.outcome == "posted" && retried.events == 1)
        try site.append([AgentSite.receipt(1), AgentSite.receipt(2)])
        let status = try site.wait { $0.lanes.contains { $0.head == 2 } }
        #expect(status.sources.first?.rejects == 0)
    }

    @Test func `half of a thousand rejects holds a source, until its mapping changes`() {
        let bad = record(.reject(RejectReason(code: "unmapped", message: "")))
        let good = record(.ignored(rule: 0))
        var hold = SourceHold()
        hold.note(Array(repeating: bad, count: 499) + Array(repeating: good, count: 501))
        #expect(hold.reason == nil)
        hold.note([bad])
        #expect(hold.reason == nil)
        hold.note(Array(repeating: good, count: 1_000) + Array(repeating: bad, count: 500))
        #expect(hold.reason?.hasPrefix("held: 500 of the last 1000") == true)
        hold.forgive()
        #expect(hold.reason == nil)
        hold.note(openRejects: 10_001)
        #expect(hold.reason?.hasPrefix("held: 10001 rejects are open") == true)
        hold.note(openRejects: 10_000)
        #expect(hold.reason == nil)
    }

    private func record(_ outcome: CapturedRecord.Outcome) -> CapturedRecord {
        let identity = RecordIdentity(text: "x", recordHash: Digest(sha256: "x"), isTracked: false)
        return CapturedRecord(
            identity: identity, outcome: outcome, bytes: [], position: RecordPosition(object: "f", offset: 0))
    }
}
