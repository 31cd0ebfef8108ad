import Agent
import ArgumentParser
import FoundationEssentials

struct RejectsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rejects", abstract: "Look at records that became no event; retry or discard them.",
        discussion: """
            Examples:
              waybill rejects list
              waybill rejects retry 17
            """,
        subcommands: [List.self, Show.self, Retry.self, Discard.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List open rejects, oldest first, at most 1,000.",
            discussion: """
                Examples:
                  waybill rejects list
                  waybill rejects list --source moves --json
                """)

        @OptionGroup var control: ControlOptions

        @Option(help: "Only this source's.")
        var source: String?

        @Option(help: "Only those after this number: the next page.")
        var after: Int64 = 0

        @Flag(help: "One JSON object a line.")
        var json = false

        func run() throws {
            let members = [("after", "\(after)"), ("source", source)]
            let lines = try asking { try control.client.lines("/v1/rejects?" + query(members)) }
            if json { return lines.forEach { printLine($0) } }
            if lines.isEmpty { return printLine("no open rejects") }
            for line in lines {
                let reject = try JSONDecoder().decode(RejectDocument.self, from: Data(line.utf8))
                printLine(
                    "\(rightAligned("\(reject.id)", 6))  \(reject.at)  \(padded(reject.source, 14)) \(visible("\(reject.code): \(reject.message)"))"
                )
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one reject with its raw bytes.",
            discussion: """
                Examples:
                  waybill rejects show 17
                  waybill rejects show 17 --json | jq -r .record
                """)

        @OptionGroup var control: ControlOptions

        @Argument(help: "The reject's number.")
        var id: Int64

        @Flag(help: "One JSON object.")
        var json = false

        func run() throws {
            let reject = try asking { try control.client.get(RejectDocument.self, "/v1/rejects/\(id)") }
            if json { return try printJSON(reject) }
            printLine("reject \(reject.id) of source \(reject.source), \(reject.at)")
            printLine("at      \(visible(reject.position))")
            printLine("reason  \(visible("\(reject.code): \(reject.message)"))")
            printLine("record  \(visible(reject.record))")
        }
    }
}
