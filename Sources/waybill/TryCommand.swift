import Agent
import ArgumentParser
import Glibc

struct TryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "try", abstract: "Show what a sample file would become; publishes and stores nothing.",
        discussion: """
            Without a configuration it looks at the sample and drafts one: format, columns, a first mapping.

            Examples:
              waybill try moves-sample.csv > draft.conf
              waybill try --config draft.conf moves-sample.csv
              waybill try --source moves moves-sample.csv.gz --json | jq .type
              waybill try --config new.conf --diff /etc/waybill/agent.conf moves-sample.csv
            """)

    @Option(help: "The configuration file. (default: \(Self.defaultConfiguration))")
    var config: String?

    @Option(help: "The source whose format and mapping apply; default: the first.")
    var source: String?

    @Flag(help: "Draft a source for the sample, also where there is a configuration.")
    var propose = false

    @Option(
        help: ArgumentHelp(
            "Show what the mapping makes otherwise than this one's. Exit 1: something.", valueName: "old.conf"))
    var diff: String?

    @Flag(help: "Objects, one a line: events, rejects, at last a summary.")
    var json = false

    @Argument(help: "A sample of the source's file, plain or packed with gzip or zip.")
    var file: String

    private static let defaultConfiguration = "/etc/waybill/agent.conf"

    func validate() throws {
        if propose, diff != nil || source != nil || json {
            throw ValidationError("--propose drafts a source; --diff, --source and --json want one that is there")
        }
    }

    func run() throws {
        let path = config ?? Self.defaultConfiguration
        let isThere = access(path, F_OK) == 0
        if propose || config == nil && diff == nil && !isThere { return try draft(asWhole: !isThere) }
        let trial = try configured { try Trial(try loadConfiguration(path), source: source) }
        if let diff { return try compare(trial, with: diff) }
        let summary = try configured { try trial.run(file: file, asJSON: json) { printLine(json ? $0 : visible($0)) } }
        if json {
            try printJSON(["summary": summary])
        } else {
            for line in summary.lines { printError(visible(line)) }
        }
        if summary.rejects > 0 { throw Exit.failed }
    }

    private func draft(asWhole: Bool) throws {
        do { printLine(try DraftText(file: file, asWhole: asWhole).text) } catch {
            let told = Refusal(error)
            printError("no draft can be made of \(file)")
            for line in told.whys + [told.remedy] { printError("  \(line)") }
            throw Exit.failed
        }
        printError("a draft; look at what says TODO, then: waybill try --config DRAFT \(file)")
    }

    private func compare(_ trial: Trial, with old: String) throws {
        let difference = try configured {
            try trial.difference(from: try Trial(try loadConfiguration(old), source: source), file: file)
        }
        for line in difference.lines { printLine(visible(line)) }
        printError(difference.words)
        if !difference.isSame { throw Exit.failed }
    }
}
