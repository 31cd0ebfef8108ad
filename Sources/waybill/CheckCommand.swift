import Agent
import ArgumentParser

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check a configuration, without network or outbox.",
        discussion: """
            Examples:
              waybill check
              waybill check --config ./agent.conf
            """)

    @Option(help: "The configuration file.")
    var config = "/etc/waybill/agent.conf"

    func run() throws {
        let findings = try configured { try ConfigurationCheck(try loadConfiguration(config)).run() }
        for line in findings { print(line) }
    }
}
