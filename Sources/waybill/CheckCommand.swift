import Agent
import ArgumentParser

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check a configuration, without network or outbox.",
        discussion: """
            Examples:
              waybill check
              waybill check --config ./agent.conf --json
            """)

    @Option(help: "The configuration file.")
    var config = "/etc/waybill/agent.conf"

    @Flag(help: "One JSON object.")
    var json = false

    @Flag(help: "Say only what is wrong.")
    var quiet = false

    func run() throws {
        do {
            let findings = try ConfigurationCheck(try loadConfiguration(config)).run()
            if json { return try printJSON(CheckDocument(isValid: true, findings: findings, problems: [])) }
            for line in findings where !quiet || line.hasPrefix("warning") { printLine(line) }
        } catch  where json {
            let told = Refusal(error)
            try printJSON(CheckDocument(isValid: false, findings: [], problems: told.whys))
            throw Exit.configuration
        } catch { try configured { throw error } }
    }
}
