import Foundation
import OwnThread
import Testing

@testable import Agent

/// The program as its user meets it: help, refusals, exit codes.
@Suite(.ownThread) struct CommandTests {
    private static let commands = [
        [], ["status"], ["outbox"], ["outbox", "show"], ["outbox", "verify"], ["watch"], ["rejects"],
        ["outbox", "salvage"], ["outbox", "reset"], ["stock"], ["why"], ["audit"], ["replay"], ["resync"], ["receive"],
        ["receive", "follow"], ["receive", "stock"], ["receive", "gaps"], ["receive", "sites"], ["rejects", "list"],
        ["rejects", "show"], ["rejects", "retry"], ["rejects", "discard"], ["run"], ["check"], ["try"], ["demo"],
        ["doctor"], ["support-bundle"], ["reconcile"], ["completion"], ["monitor"], ["metrics"], ["sources"],
        ["sources", "show"],
        ["sources", "accept"], ["sources", "reject"], ["sources", "pause"],
        ["sources", "resume"], ["sources", "rewind"],
        ["version"],
    ]

    @Test func `every help text is the one on record`() throws {
        let path = #filePath.components(separatedBy: "/AgentTests/")[0] + "/Fixtures/help.txt"
        let found = try Self.commands.map { command in
            "$ waybill \((command + ["--help"]).joined(separator: " "))\n" + (try Program.run(command + ["--help"]).out)
        }.joined(separator: "\n")
        if ProcessInfo.processInfo.environment["WAYBILL_REWRITE"] != nil {
            try found.write(toFile: path, atomically: true, encoding: .utf8)
        }
        let recorded = try String(contentsOfFile: path, encoding: .utf8)
        #expect(found == recorded, "WAYBILL_REWRITE=1 swift test writes it anew")
    }

    @Test(arguments: commands.dropFirst())
    func `every command's help has two examples`(command: [String]) throws {
        let help = try Program.run(command + ["--help"]).out
        let examples = help.split(separator: "\n").filter { $0.hasPrefix("  waybill ") }
        #expect(examples.count >= 2, "\(help)")
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func `a shell's completion knows every command`(shell: String) throws {
        let script = try Program.run(["completion", shell])
        #expect(script.code == 0)
        for command in Self.commands.dropFirst() {
            #expect(script.out.contains(command.last ?? ""), "\(command)")
        }
        let other = try Program.run(["completion", "tcsh"])
        #expect(other.code == 2 && other.errors.contains("bash, zsh and fish"))
    }

    @Test func `a monitor is told that nothing runs, what needs attention, and when too much waits`() throws {
        let site = try AgentSite(lines: [AgentSite.receipt(1), AgentSite.receipt(2)])
        let none = try Program.run(["monitor", "--socket", site.socket])
        #expect(none.code == 2 && none.out.hasPrefix("WAYBILL CRITICAL - no agent answers"))
        let agent = try site.start()
        defer { agent.shutDown() }
        _ = try site.wait { $0.lanes.contains { $0.backlog == 2 } && !$0.reasons.isEmpty }
        let warned = try Program.run(["monitor", "--socket", site.socket])
        #expect(warned.code == 1 && warned.out.hasPrefix("WAYBILL WARNING - "), "\(warned)")
        #expect(warned.out.contains("| backlog_critical=0;;;0 backlog_standard=2;;;0"))
        #expect(warned.out.split(separator: "\n").count == 1)
        let full = try Program.run(["monitor", "--socket", site.socket, "--critical-backlog", "2"])
        #expect(full.code == 2 && full.out.contains("backlog_standard=2;;2;0"))
    }

    private func write(_ text: String, _ site: AgentSite) throws -> String {
        let path = site.directory + "/agent.conf"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    @Test func `a typo in the configuration is told as what, why and what to do, with exit 78`() throws {
        let site = try AgentSite()
        let path = try write(Demo.configuration(port: 1).replacingOccurrences(of: "reserve", with: "reserv"), site)
        for command in ["run", "check"] {
            let answer = try Program.run([command, "--config", path])
            #expect(answer.code == 78)
            let lines = answer.errors.split(separator: "\n")
            #expect(lines.count == 3, "\(answer.errors)")
            #expect(lines.first == "waybill: the configuration cannot be used: one problem")
            #expect(lines.dropFirst().first?.contains("did you mean \"reserve\"?") == true)
        }
        let json = try Program.run(["check", "--config", path, "--json"])
        #expect(json.code == 78 && json.out.contains("\"valid\":false"))
    }

    @Test func `check tells how much a first start would read, as JSON too`() throws {
        let site = try AgentSite(lines: [AgentSite.receipt(1)])
        let path = try write(Demo.configuration(port: 1), site)
        let answer = try Program.run(["check", "--config", path, "--json"])
        #expect(answer.code == 0 && answer.out.contains("a first start reads and publishes"), "\(answer)")
    }

    @Test func `try shows what a sample becomes and stores nothing`() throws {
        let site = try AgentSite(lines: [AgentSite.receipt(1), AgentSite.receipt(2, quantity: "many")])
        let path = try write(Demo.configuration(port: 1), site)
        let answer = try Program.run(["try", "--config", path, "--json", site.directory + "/moves.csv"])
        let lines = answer.out.split(separator: "\n")
        #expect(answer.code == 1 && lines.count == 3)
        #expect(lines.dropLast().last?.contains(#""code":"quantity""#) == true, "\(answer.out)")
        #expect(!FileManager.default.fileExists(atPath: site.directory + "/data"))
    }

    @Test func `a data directory that another agent holds is refused`() throws {
        let site = try AgentSite()
        let agent = try site.start()
        defer { agent.shutDown() }
        let path = try write(Demo.configuration(port: 1), site)
        let answer = try Program.run(["run", "--config", path])
        #expect(answer.code == 78)
        #expect(answer.errors.hasPrefix("waybill: the outbox cannot be used\n"), "\(answer.errors)")
    }

    @Test func `without an agent a command says so in three lines, with exit 3`() throws {
        let answer = try Program.run(["status", "--socket", "/nonexistent/control.sock"])
        #expect(answer.code == 3)
        #expect(answer.errors.split(separator: "\n").count == 3)
    }
}
