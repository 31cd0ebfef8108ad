import CLinux
import Foundation
import Inventory
import Logging
import Outbox
import OwnThread
import Testing

@testable import Agent

private func receipt(_ number: Int, quantity: String = "5,0") -> String {
    AgentSite.receipt(number, quantity: quantity)
}

@Suite(.ownThread) struct ControlTests {
    @Test func `status shows lanes, sources and what is wrong, without a broker`() throws {
        let site = try AgentSite(lines: [receipt(1), receipt(2), receipt(3, quantity: "many")])
        let agent = try site.start()
        defer { agent.shutDown() }
        let status = try site.wait { $0.lanes.contains { $0.backlog == 2 } && !$0.reasons.isEmpty }
        #expect(status.lanes.first { $0.name == "standard" }?.backlog == 2)
        #expect(status.sources.map(\.rejects) == [1])
        #expect(!status.isConnected && status.health == "degraded")
        #expect(status.process.residentBytes > 0)
        let outbox = try site.client.get(OutboxDocument.self, "/v1/outbox")
        #expect(outbox.rejects == 1 && outbox.room == "open")
    }

    @Test func `metrics tell backlog, age, rejects and size in the form that Prometheus reads`() throws {
        let site = try AgentSite(lines: [receipt(1), receipt(2), receipt(3, quantity: "many")])
        let agent = try site.start()
        defer { agent.shutDown() }
        _ = try site.wait { $0.lanes.contains { $0.backlog == 2 } && $0.sources.first?.rejects == 1 }
        let lines = try site.client.lines("/metrics")
        #expect(lines.contains(#"waybill_lane_backlog_events{lane="standard"} 2"#))
        #expect(lines.contains(#"waybill_rejects_open{source="moves"} 1"#))
        #expect(lines.contains("waybill_broker_connected 0") && lines.contains("waybill_outbox_paused 0"))
        let captured = try #require(
            lines.first { $0.hasPrefix(#"waybill_lane_oldest_unacked_timestamp_seconds{lane="standard"} "#) })
        let moment = try #require(Double(captured.split(separator: " ").last ?? ""))
        #expect(abs(moment - Double(Clocks.wall().milliseconds) / 1_000) < 60)
        let form = #/^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+)$/#
        #expect(lines.allSatisfy { $0.wholeMatch(of: form) != nil })
        let families = lines.filter { $0.hasPrefix("# TYPE ") }.map { $0.split(separator: " ")[2] }
        #expect(Set(families).count == families.count && families.count >= 14)
    }

    @Test func `a reject is listed, shown, still refused by the same mapping, and discarded`() throws {
        let site = try AgentSite(lines: [receipt(1, quantity: "many")])
        let agent = try site.start()
        defer { agent.shutDown() }
        _ = try site.wait { $0.sources.first?.rejects == 1 }
        let listed = try site.client.lines("/v1/rejects")
        #expect(listed.count == 1)
        let shown = try site.client.get(RejectDocument.self, "/v1/rejects/1")
        #expect(shown.code == "quantity" && shown.record == receipt(1, quantity: "many"))
        let retried = try site.client.post(OutcomeDocument.self, "/v1/rejects/1/retry")
        #expect(retried.outcome == "rejected" && retried.reason?.hasPrefix("quantity") == true)
        let discarded = try site.client.post(OutcomeDocument.self, "/v1/rejects/1/discard")
        #expect(discarded.outcome == "discarded")
        #expect(throws: ControlClient.Failure.noSuchThing) {
            try site.client.get(RejectDocument.self, "/v1/rejects/1")
        }
    }

    @Test func `a reject that a mended mapping takes becomes an event and is gone`() throws {
        let site = try AgentSite(lines: [receipt(1).replacingOccurrences(of: ";RC;", with: ";ZZ;")])
        do {
            let first = try site.start()
            _ = try site.wait { $0.sources.first?.rejects == 1 }
            first.shutDown()
        }
        var configuration = try Configuration.parse(
            Demo.configuration(port: 1).replacingOccurrences(of: "code = 'RC'", with: "code in ('RC', 'ZZ')"),
            file: "agent.conf", directory: site.directory, environment: [:])
        configuration.controlSocket = site.socket
        let agent = try RunningAgent(configuration, logger: Logger(label: "test"))
        defer { agent.shutDown() }
        let retried = try site.client.post(OutcomeDocument.self, "/v1/rejects/1/retry")
        #expect(retried.outcome == "posted" && retried.events == 1)
        let status = try site.wait { $0.lanes.contains { $0.head == 1 } }
        #expect(status.sources.first?.rejects == 0)
    }

    @Test func `a socket that answers is refused with the pid of its agent`() throws {
        let site = try AgentSite(lines: [])
        let agent = try site.start()
        defer { agent.shutDown() }
        let error = #expect(throws: ControlError.self) { _ = try ControlSocketPath(site.socket) }
        #expect(error?.message.contains("pid \(getpid())") == true)
    }

    @Test func `a socket that nobody answers is removed, and one of another agent is left on exit`() throws {
        let site = try AgentSite(lines: [])
        let left = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = try #require(UnixSocket.address(site.socket))
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(left, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        close(left)
        #expect(code == 0)
        let agent = try site.start()
        #expect(try site.status().tenant == "demo")
        let mode = try FileManager.default.attributesOfItem(atPath: site.socket)[.posixPermissions] as? Int
        #expect(mode == 0o660)
        try FileManager.default.removeItem(atPath: site.socket)
        try Data().write(to: URL(fileURLWithPath: site.socket))
        agent.shutDown()
        #expect(FileManager.default.fileExists(atPath: site.socket))
    }

    @Test func `without an agent the client says that none is running`() {
        let path = "/tmp/waybill-none-\(UUID().uuidString.prefix(8)).sock"
        #expect(throws: ControlClient.Failure.notRunning(path: path)) {
            try ControlClient(path: path).lines("/v1/status")
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\na\nbc\nd",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\nb\r\n3\r\nc\nd\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\na\nbc\nd",
    ])
    func `an answer gives the same lines however its bytes arrive`(answer: String) throws {
        for step in 1...answer.utf8.count {
            var reader = HTTPAnswer()
            var lines: [String] = []
            var rest = Array(answer.utf8)[...]
            while !rest.isEmpty {
                lines += try reader.take(rest.prefix(step))
                rest = rest.dropFirst(step)
            }
            #expect(lines + reader.rest == ["a", "bc", "d"], "in steps of \(step)")
        }
    }
}

struct ServiceNotificationTests {
    @Test func `systemd hears readiness and life, also at an abstract socket`() throws {
        let name = "@waybill-test-\(UUID().uuidString.prefix(8))"
        let listener = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(listener) }
        var address = try #require(UnixSocket.address(name))
        withUnsafeMutableBytes(of: &address.sun_path) { $0[0] = 0 }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.utf8.count)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, length) }
        }
        #expect(code == 0)
        let service = ServiceNotification { ["NOTIFY_SOCKET": name, "WATCHDOG_USEC": "60000000"][$0] }
        #expect(service.watchdogInterval == 30_000)
        service.ready("listening")
        service.alive()
        var buffer = [UInt8](repeating: 0, count: 256)
        let heard = (0..<2).map { _ in String(decoding: buffer[..<recv(listener, &buffer, 256, 0)], as: UTF8.self) }
        #expect(heard == ["READY=1\nSTATUS=listening", "WATCHDOG=1"])
    }
}
