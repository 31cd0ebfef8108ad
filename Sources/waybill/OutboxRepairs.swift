import Agent
import ArgumentParser

extension OutboxCommand {
    struct Reset: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Begin a new epoch: sequences start at 1 again, and consumers resync.",
            discussion: """
                Nothing is lost: what was not acked moves into the new epoch, what was stays replayable under the old
                one. For when consumers and agent differ about the past and nothing else helps.

                Examples:
                  waybill outbox reset
                  waybill outbox reset --yes --json
                """)

        @OptionGroup var control: ControlOptions

        @Flag(help: "Do it without asking.")
        var yes = false

        @Flag(help: "Say what would happen, and leave it.")
        var dryRun = false

        @Flag(help: "One JSON object.")
        var json = false

        func run() throws {
            let status = try asking { try control.client.get(StatusDocument.self, "/v1/status") }
            let waiting = status.lanes.reduce(0) { $0 + $1.backlog }
            let words = "a new epoch after \(status.epoch); \(waiting) events that wait move into it"
            if dryRun {
                guard json else { return printLine("would begin \(words)") }
                return try printJSON(ResetPlanDocument(after: status.epoch, moves: waiting))
            }
            if !yes { try confirm("This begins \(words).", answer: status.site) }
            let done = try asking { try control.client.post(ResetDocument.self, "/v1/outbox/reset") }
            if json { return try printJSON(done) }
            printLine("epoch \(done.epoch) begun, \(done.moved) events moved; consumers resync by themselves")
        }
    }

    struct Salvage: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read what can be read of a damaged outbox file, as JSON lines on stdout.",
            discussion: """
                For a file that no agent has open, such as outbox.sqlite.corrupt-…; nothing in it is changed. Events that
                were not acked come first. What could not be read is told on stderr; exit 7 when there is some.

                Examples:
                  waybill outbox salvage /var/lib/waybill/outbox.sqlite.corrupt-1795000000000 > salvaged.ndjson
                  waybill outbox salvage old.sqlite | jq 'select(.kind == "reject")'
                """)

        @Argument(help: "The file.")
        var file: String

        func run() throws {
            let report: SalvageDocument
            do { report = try OutboxCheck.salvage(path: file) { printLine($0) } } catch OutboxCheck.Failure.noFile {
                printError("there is no file \(file)")
                throw Exit.noSuchThing
            } catch OutboxCheck.Failure.notPermitted {
                printError("this user may not read \(file); it belongs to the agent's user")
                throw Exit.noPermission
            } catch {
                printError("nothing of \(file) could be read")
                printError("  \(error)")
                printError("  its first page is damaged too; keep the file, and restore from a backup if there is one")
                throw Exit.failed
            }
            printError(
                "\(report.unackedEvents) events not acked, \(report.ackedEvents) acked, \(report.rejects) rejects, "
                    + "\(report.stockLines) stock lines; \(report.unreadable.count) places could not be read")
            for place in report.unreadable { printError("  not readable: \(place)") }
            if !report.unreadable.isEmpty { throw Exit.partlyDone }
        }
    }
}
