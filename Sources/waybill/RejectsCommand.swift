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
            let filter = source.map { "&source=\($0)" } ?? ""
            let lines = try asking { try control.client.lines("/v1/rejects?after=\(after)\(filter)") }
            if json { return lines.forEach { printLine($0) } }
            if lines.isEmpty { return printLine("no open rejects") }
            for line in lines {
                let reject = try JSONDecoder().decode(RejectDocument.self, from: Data(line.utf8))
                printLine(
                    "\(rightAligned("\(reject.id)", 6))  \(reject.at)  \(padded(reject.source, 14)) \(reject.code): \(reject.message)"
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
            printLine("at      \(reject.position)")
            printLine("reason  \(reject.code): \(reject.message)")
            printLine("record  \(reject.record)")
        }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Map rejects again, by the present mapping; what passes is appended now.",
            discussion: """
                Examples:
                  waybill rejects retry 17
                  waybill rejects retry 17 --bytes corrected.txt
                """)

        @OptionGroup var control: ControlOptions

        @Argument(help: "The rejects' numbers.")
        var ids: [Int64]

        @Option(help: "A file with the corrected record, for one reject: the event keeps the record's identity.")
        var bytes: String?

        func validate() throws {
            if bytes != nil, ids.count != 1 { throw ValidationError("--bytes corrects one reject; name one") }
        }

        private func corrected() throws -> [UInt8] {
            guard let bytes else { return [] }
            guard let data = FileManager.default.contents(atPath: bytes), !data.isEmpty else {
                printError("\(bytes) cannot be read, or is empty")
                throw Exit.noSuchThing
            }
            let line = [UInt8](data)
            return Array(line.last == 0x0A ? line.dropLast() : line[...])
        }

        func run() throws {
            var failed = 0
            let corrected = try corrected()
            for id in ids {
                let outcome = try asking {
                    try control.client.post(OutcomeDocument.self, "/v1/rejects/\(id)/retry", content: corrected)
                }
                printLine("\(id): \(outcome.outcome)\(outcome.reason.map { " (\($0))" } ?? "")")
                if outcome.outcome == "rejected" { failed += 1 }
            }
            if failed > 0 { throw failed == ids.count ? Exit.failed : Exit.partlyDone }
        }
    }

    struct Discard: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove rejects for good: their records never become events.",
            discussion: """
                Examples:
                  waybill rejects discard 17 --yes
                  waybill rejects discard 17 --dry-run
                """)

        @OptionGroup var control: ControlOptions

        @Argument(help: "The rejects' numbers.")
        var ids: [Int64]

        @Flag(help: "Do it without asking.")
        var yes = false

        @Flag(help: "Say what would be removed, and leave it.")
        var dryRun = false

        func run() throws {
            for id in ids {
                let reject = try asking { try control.client.get(RejectDocument.self, "/v1/rejects/\(id)") }
                printLine("\(id): \(reject.code): \(reject.record)")
            }
            if dryRun { return }
            if !yes {
                printError("discard \(ids.count) for good? Type yes:")
                guard readLine() == "yes" else { throw Exit.notConfirmed }
            }
            for id in ids {
                _ = try asking {
                    try control.client.post(OutcomeDocument.self, "/v1/rejects/\(id)/discard")
                }
            }
        }
    }
}
