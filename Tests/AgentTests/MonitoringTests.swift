import CLinux
import Delivery
import Foundation
import Inventory
import Outbox
import OwnThread
import Testing

@testable import Agent

/// What monitoring and an impatient technician see.
@Suite(.ownThread) struct MonitoringTests {
    @Test func `what was acked is in the histograms, and every metric in the manual's table`() throws {
        try Stage.set { directory, broker, _ in
            let site = try AgentSite(lines: [
                AgentSite.receipt(1), AgentSite.receipt(2), AgentSite.receipt(3, quantity: "x"),
            ])
            let port = broker.port
            let agent = try site.start {
                $0.replacingOccurrences(of: "127.0.0.1:1\"", with: "127.0.0.1:\(port)\"")
                    .replacingOccurrences(of: "requesters = []", with: "requesters = [\"ingest\"]")
            }
            defer { agent.shutDown() }
            _ = try site.wait { $0.lanes.contains { $0.acked == 2 } && $0.isConnected && $0.reasons.isEmpty }
            let lines = try site.client.lines("/metrics")
            for line in [
                #"waybill_capture_to_ack_seconds_count{lane="standard"} 2"#,
                #"waybill_capture_to_ack_seconds_bucket{lane="standard",le="+Inf"} 2"#,
                #"waybill_event_age_seconds_count{lane="standard"} 2"#,
                #"waybill_event_age_seconds_count{lane="bulk"} 0"#,
                #"waybill_source_records_total{source="moves",outcome="event"} 2"#,
                #"waybill_source_records_total{source="moves",outcome="rejected"} 1"#,
                "waybill_broker_connected 1", "waybill_health_reasons 0",
            ] { #expect(lines.contains(line), "\(line)\n\(lines.joined(separator: "\n"))") }
            #expect(try site.client.lines("/healthz") == ["ok"])
            _ = try site.client.post(OutcomeDocument.self, "/v1/rejects/1/discard")
            let after = try site.client.lines("/metrics")
            #expect(after.contains("waybill_reject_resolution_seconds_count 1"))
            guard Python.isThere else { return }
            let told = directory + "/metrics.txt"
            try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: told))
            let check = try ChildProcess(
                "/usr/bin/python3", [Python.root + "/packaging/prometheus/check.py", told],
                log: directory + "/check.log")
            #expect(
                check.wait() == 0, "\((try? String(contentsOfFile: directory + "/check.log", encoding: .utf8)) ?? "")")
        }
    }

    @Test func `an agent that takes the question and gives no answer is critical, within seconds`() throws {
        let site = try AgentSite()
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = try #require(UnixSocket.address(site.socket))
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(code == 0 && listen(listener, 4) == 0)
        let begun = Clocks.monotonic()
        let answer = try Program.run(["monitor", "--socket", site.socket])
        #expect(answer.code == 2 && answer.out == "WAYBILL CRITICAL - it runs, and gives no answer\n", "\(answer)")
        #expect(Clocks.monotonic() - begun < 15_000)
    }

    @Test func `Ctrl-C while a repair is waited for says that the agent goes on, and ends with 130`() throws {
        let site = try AgentSite(lines: [AgentSite.receipt(1)])
        let agent = try site.start {
            $0.replacingOccurrences(of: "requesters = []", with: "requesters = [\"ingest\"]")
        }
        defer { agent.shutDown() }
        _ = try site.wait { $0.lanes.contains { $0.head == 1 } }
        let bundle = URL(fileURLWithPath: ProcessInfo.processInfo.arguments[0]).resolvingSymlinksInPath()
        let program = bundle.deletingLastPathComponent().appendingPathComponent("waybill").path
        let log = site.directory + "/cli.log"
        let order = ["resync", "--to-requester", "ingest", "--sku", "1001", "--yes", "--socket", site.socket]
        let command = try ChildProcess(program, order, log: log)
        func told() -> String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }
        #expect(Stage.wait { told().contains("Ctrl-C ends the waiting") })
        let status = command.end(SIGINT)
        #expect(status >> 8 & 0xFF == 130, "\(told())")
        #expect(told().contains("the agent goes on with order 1") && told().contains("waybill audit"))
        #expect(try site.client.get(RepairState.self, "/v1/repairs/1").status == .waiting)
    }

    @Test func `the worst lag is stored after 10 s, then each 5 min, and at the end`() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("wb-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let site = try PublishingSite(directory)
        let begun = Clocks.wall()
        func moment(_ seconds: Int64) -> Timestamp { Timestamp(milliseconds: begun.milliseconds + seconds * 1_000) }
        var sampler = LagSampler(outbox: site.outbox, report: site.report, monotonic: 0)
        try site.capture(Stage.names(1...5))
        func turn(_ seconds: Int64, isLast: Bool = false) throws {
            try sampler.turn(now: moment(seconds), monotonic: seconds * 1_000, isLast: isLast)
        }
        func stored() throws -> [LagSample] {
            try site.outbox.reader().lagHistory(since: moment(-60)).filter { $0.lane == .standard }
        }
        try turn(0)
        #expect(try stored().isEmpty)
        try turn(10)
        #expect(try stored().map(\.backlog) == [5])
        #expect(try #require(stored().first?.age) >= 9_000)
        try site.outbox.acknowledge([.standard: 5])
        for seconds: Int64 in stride(from: 20, through: 300, by: 10) { try turn(seconds) }
        #expect(try stored().count == 1)
        try turn(310)
        #expect(try stored().map(\.backlog) == [5, 0])
        try turn(311, isLast: true)
        #expect(try stored().count == 3)
    }

    @Test func `status in a pipe has no colours, and tells what is wrong, since when and what to type`() throws {
        let site = try AgentSite(lines: [AgentSite.receipt(1)])
        let agent = try site.start()
        defer { agent.shutDown() }
        _ = try site.wait { $0.lanes.contains { $0.backlog == 1 } && !$0.reasons.isEmpty }
        let answer = try Program.run(["status", "--socket", site.socket])
        #expect(answer.code == 1 && !answer.out.contains("\u{1B}"))
        for words in [
            "NEEDS ATTENTION: one thing", "! broker: ", "since 20", "type: waybill doctor",
            "next      waybill doctor",
            "done in the last 24 hours: nothing", "not connected",
        ] { #expect(answer.out.contains(words), "\(words): \(answer.out)") }
        let lane = try #require(answer.out.split(separator: "\n").first { $0.hasPrefix("standard") })
        #expect(lane.contains(" s ") || lane.contains(" min "), "\(lane)")
    }
}
