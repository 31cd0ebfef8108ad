import Foundation
import OwnThread
import Testing

@testable import Agent

@Suite(.ownThread) struct SupportBundleTests {
    /// Planted wherever a site has text of its own; none of it may come out.
    @Test func `nothing that a site wrote itself gets into a support bundle`() throws {
        try Stage.set { _, broker, _ in
            let canary = "zqcanary"
            let site = try AgentSite(lines: [
                AgentSite.receipt(1).replacingOccurrences(of: "1001", with: canary + "sku"),
                AgentSite.receipt(2, quantity: canary + "qty"), canary + ";" + canary,
            ])
            try FileManager.default.createDirectory(
                atPath: site.directory + "/credentials", withIntermediateDirectories: true)
            try Data((canary + "password").utf8).write(
                to: URL(fileURLWithPath: site.directory + "/credentials/mqtt.password"))
            let port = broker.port
            let change: @Sendable (String) -> String = { text in
                text.replacingOccurrences(of: "127.0.0.1:1\"", with: "127.0.0.1:\(port)\"")
                    .replacingOccurrences(of: "[agent]", with: "[agent]\ncredentials_dir = \"credentials\"")
                    .replacingOccurrences(of: "\"demo\"", with: "\"\(canary)tenant\"")
                    .replacingOccurrences(of: "\"dc-1\"", with: "\"\(canary)site\"")
                    .replacingOccurrences(of: "\"moves\"", with: "\"\(canary)source\"")
                    .replacingOccurrences(of: "requesters = []", with: "requesters = [\"\(canary)requester\"]")
                    .replacingOccurrences(of: "[mqtt]", with: "[mqtt]\nusername = \"\(canary)user\"")
            }
            let conf = site.directory + "/agent.conf"
            try Data((change(Demo.configuration(port: 1)) + "\n# \(canary)\n").utf8).write(
                to: URL(fileURLWithPath: conf))
            let agent = try site.start(change)
            defer { agent.shutDown() }
            _ = try site.wait { $0.lanes.contains { $0.acked == 1 } && $0.sources.first?.rejects == 2 }
            _ = try site.client.post(OutcomeDocument.self, "/v1/rejects/1/discard")
            let answer = try Program.run(
                ["support-bundle", "--output", "-", "--socket", site.socket, "--config", conf])
            #expect(answer.code == 0 && !answer.out.contains(canary), "\(answer.out)")
            #expect(!answer.out.contains(site.directory) && !answer.out.contains("127.0.0.1"))
            for words in [
                "lane standard: head 1, acked 1", "outbox.reserve = 1MiB", "mqtt.username = (set)",
                "source[0].format.header = true", "login ok", "user discard removed", "waybill_broker_connected 1",
                "(of the oldest 1,000)", "libmosquitto 2.",
            ] { #expect(answer.out.contains(words), "\(words): \(answer.out)") }
            let file = try Program.run(
                ["support-bundle", "--socket", "/nonexistent", "--config", "/nonexistent"], in: site.directory)
            #expect(file.code == 0 && file.out.hasPrefix("waybill-support.txt: "), "\(file)")
            let mode = try FileManager.default.attributesOfItem(atPath: site.directory + "/waybill-support.txt")
            #expect(mode[.posixPermissions] as? Int == 0o600)
        }
    }
}
