import Agent
import ArgumentParser

struct TryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "try", abstract: "Show what a sample file would become; publishes and stores nothing.",
        discussion: """
            Examples:
              waybill try moves-sample.csv --json | jq .type
              waybill try --config ./agent.conf --source moves moves-sample.csv
            """)

    @Option(help: "The configuration file.")
    var config = "/etc/waybill/agent.conf"

    @Option(help: "The source whose format and mapping apply; default: the first.")
    var source: String?

    @Flag(help: "Rejects as JSON objects too, one a line.")
    var json = false

    @Argument(help: "A sample of the source's file.")
    var file: String

    func run() throws {
        let trial = try configured { try Trial(try loadConfiguration(config), source: source) }
        let result = try configured { try trial.run(file: file, asJSON: json) }
        for line in result.lines { print(line) }
        printError("\(result.events) events, \(result.rejects) rejects, \(result.ignored) ignored")
        if result.rejects > 0 { throw Exit.failed }
    }
}
