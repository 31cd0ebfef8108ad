import Foundation
import Ingest
import Inventory
import OwnThread
import Testing

@testable import Agent

/// What technicians decide about sources, as they type it, against a running agent.
@Suite(.ownThread) struct SourceCommandTests {
    private func run(_ words: [String], _ site: AgentSite) throws -> Program.Answer {
        try Program.run(words + ["--socket", site.socket])
    }

    @Test func `a paused source gives nothing, says who paused it, and goes on where it stood`() throws {
        let site = try AgentSite(lines: [AgentSite.receipt(1)])
        var agent = try site.start()
        _ = try site.wait { $0.lanes.contains { $0.head == 1 } }
        #expect(try run(["sources", "pause", "moves", "--dry-run"], site).out.hasPrefix("would pause moves"))
        #expect(try run(["sources", "pause", "moves"], site).code == 6)
        #expect(try run(["sources", "pause", "moves", "--yes"], site).code == 0)
        let status = try site.wait { $0.reasons.contains { $0.contains("paused by") } }
        #expect(status.details.first { $0.kind == "source" }?.next == "waybill sources resume moves")
        #expect(status.done.first?.action == "pause")
        let twice = try run(["sources", "pause", "moves", "--yes"], site)
        #expect(twice.code == 5 && twice.errors.split(separator: "\n").count == 3, "\(twice)")
        agent.shutDown()
        try site.append([AgentSite.receipt(2)])
        agent = try site.start()
        defer { agent.shutDown() }
        _ = try site.wait { $0.reasons.contains { $0.contains("paused by") } }
        #expect(try site.status().lanes.allSatisfy { $0.head <= 1 })
        #expect(try run(["sources", "resume", "moves", "--yes", "--json"], site).out.contains(#""name":"moves""#))
        _ = try site.wait { $0.lanes.contains { $0.head == 2 } }
        #expect(try site.status().lanes.contains { $0.head == 2 })
    }

    @Test func `a rewind reads all again and gives events only for what was missed`() throws {
        let missed = AgentSite.receipt(2).replacingOccurrences(of: ";RC;", with: ";ZZ;")
        let site = try AgentSite(lines: [AgentSite.receipt(1), missed, AgentSite.receipt(3)])
        let ignoring = "\n[[source.ignore]]\nwhen = \"code = 'ZZ'\"\n"
        var agent = try site.start { $0 + ignoring }
        _ = try site.wait { $0.lanes.contains { $0.head == 2 } }
        agent.shutDown()
        agent = try site.start { $0.replacingOccurrences(of: "code = 'RC'", with: "code in ('RC', 'ZZ')") }
        defer { agent.shutDown() }
        let plan = try run(["sources", "rewind", "moves", "--to", "beginning", "--dry-run"], site)
        #expect(plan.code == 0 && plan.out.contains("of one file"), "\(plan)")
        let done = try run(["sources", "rewind", "moves", "--to", "beginning", "--yes"], site)
        #expect(done.code == 0, "\(done)")
        _ = try site.wait { $0.lanes.contains { $0.head == 3 } }
        let status = try site.status()
        #expect(status.lanes.contains { $0.head == 3 } && status.sources.first?.rejects == 0)
        #expect(status.reasons.allSatisfy { !$0.contains("capture failed") }, "\(status.reasons)")
        let stock = try run(["stock", "1001"], site)
        #expect(stock.out.contains("15"), "three receipts of five: \(stock)")
        #expect(try run(["sources", "rewind", "moves", "--to", "yesterday", "--yes"], site).code == 5)
    }

    @Test func `a source with a rule without an id is not rewound`() throws {
        let site = try AgentSite(lines: [AgentSite.receipt(1)])
        let agent = try site.start { $0.replacingOccurrences(of: "id = \"txn_no\"\n", with: "") }
        defer { agent.shutDown() }
        _ = try site.wait { $0.lanes.contains { $0.head == 1 } }
        let answer = try run(["sources", "rewind", "moves", "--to", "beginning", "--yes"], site)
        #expect(answer.code == 5 && answer.errors.contains("without an id"), "\(answer)")
        #expect(try run(["sources", "moves"], site).out.contains("not possible"))
        #expect(try run(["sources", "nothing"], site).code == 5)
    }

    @Test func `a lane's events are listed with what the broker has, from a moment on`() throws {
        let site = try AgentSite(lines: [AgentSite.receipt(1), AgentSite.receipt(2)])
        let agent = try site.start()
        defer { agent.shutDown() }
        _ = try site.wait { $0.lanes.contains { $0.head == 2 } }
        let events = try run(["outbox", "--lane", "standard", "--since", "10min"], site)
        #expect(events.out.split(separator: "\n").count == 2 && events.out.hasPrefix("waiting"), "\(events)")
        let json = try run(["outbox", "--lane", "standard", "--limit", "1", "--json"], site)
        #expect(json.out.contains(#""sequence":2"#) && json.out.split(separator: "\n").count == 1)
        #expect(try JSONSerialization.jsonObject(with: Data(json.out.utf8)) is [String: Any])
        #expect(try run(["outbox", "--lane", "standard", "--since", "soon"], site).code == 2)
        #expect(try run(["outbox", "--lane", "express"], site).code == 2)
    }

    @Test func `all rejects of a source are discarded only with the site's name, and under the unix user`() throws {
        let site = try AgentSite(lines: [AgentSite.receipt(1, quantity: "x"), AgentSite.receipt(2, quantity: "y")])
        let agent = try site.start()
        defer { agent.shutDown() }
        _ = try site.wait { $0.sources.first?.rejects == 2 }
        let unasked = try run(["rejects", "discard", "--all"], site)
        #expect(unasked.code == 6 && unasked.errors.contains("Type dc-1"), "\(unasked)")
        let dry = try run(["rejects", "retry", "--all", "--dry-run"], site)
        #expect(dry.code == 1 && dry.out.contains("1: rejected"), "\(dry)")
        #expect(try run(["rejects", "discard", "--all", "1"], site).code == 2)
        let done = try run(["rejects", "discard", "--all", "--yes", "--json"], site)
        #expect(done.code == 0 && done.out.contains(#""outcome":"discarded""#), "\(done)")
        let status = try site.status()
        #expect(status.sources.first?.rejects == 0 && status.done.count == 2)
        #expect(status.done.allSatisfy { $0.action == "discard" && $0.actor.contains("(\(getuid()))") })
    }

    @Test func `a source that gives nothing for longer than it should is told as silent, until it gives again`() throws
    {
        let site = try AgentSite(lines: [AgentSite.receipt(1)])
        let agent = try site.start {
            $0.replacingOccurrences(of: "name = \"moves\"", with: "name = \"moves\"\nexpect_every = \"1s\"")
        }
        defer { agent.shutDown() }
        let silent = try site.wait { $0.sources.first?.status.hasPrefix("silent") == true }
        #expect(silent.details.contains { $0.kind == "source" && $0.words.contains("more than 1 s (expect_every)") })
        #expect(silent.lanes.contains { $0.head == 1 })
        for number in 2...400 {
            try site.append([AgentSite.receipt(number)])
            if try site.status().sources.first?.status == "ok" { return }
        }
        Issue.record("it stayed silent")
    }

    @Test func `silence is counted from the last thing read, and a hold is no silence`() {
        var rhythm = SourceRhythm(expected: 3_600_000, monotonic: 0)
        func status(_ read: PipelineRead, at minute: Int64) -> String {
            rhythm.judge(read, monotonic: minute * 60_000).status
        }
        var gave = PipelineRead.waiting("ok")
        #expect(status(gave, at: 60) == "ok")
        #expect(status(gave, at: 61).hasPrefix("silent: nothing came for more than 60 min"))
        #expect(status(.waiting("held: a column is gone"), at: 62) == "held: a column is gone")
        gave.more = true
        #expect(status(gave, at: 63) == "ok")
        #expect(status(.waiting("ok"), at: 123) == "ok")
        #expect(status(.waiting("ok"), at: 124).hasPrefix("silent"))
        rhythm = SourceRhythm(expected: nil, monotonic: 0)
        #expect(status(.waiting("ok"), at: 1_000_000) == "ok")
    }
}
