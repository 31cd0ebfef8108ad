import Agent
import ArgumentParser

struct OutboxCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outbox", abstract: "Look at the outbox: what it holds, and whether its file is sound.",
        discussion: """
            Examples:
              waybill outbox
              waybill outbox verify
            """,
        subcommands: [Show.self, Verify.self, Salvage.self, Reset.self], defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what the outbox holds: lanes, size, limit, positions.",
            discussion: """
                Examples:
                  waybill outbox
                  waybill outbox --json | jq .room
                """)

        @OptionGroup var control: ControlOptions

        @Flag(help: "One JSON object.")
        var json = false

        func run() throws {
            let outbox = try asking { try control.client.get(OutboxDocument.self, "/v1/outbox") }
            if json { return try printJSON(outbox) }
            for line in lines(outbox) { printLine(line) }
        }

        private func lines(_ outbox: OutboxDocument) -> [String] {
            var lines = [
                "file      \(outbox.path), \(outbox.fileBytes >> 20) MiB and \(outbox.walBytes >> 20) MiB of WAL; limit "
                    + "\(outbox.limitBytes >> 20) MiB",
                "reading   \(outbox.room)",
                "rejects   \(outbox.rejects) open",
                "epoch     \(outbox.epoch), instance \(outbox.instance)", "",
            ]
            lines += laneTable(outbox.lanes) + ["", padded("source", 20) + "a new outbox would begin at"]
            lines += outbox.sources.map { padded($0.name, 20) + $0.position }
            lines += outbox.setAside.map { "set aside: \($0)" }
            return lines
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the outbox file for damage: through the agent, or the file of a stopped one.",
            discussion: """
                The whole file is read, about a second a gigabyte. When the agent finds damage it stops reading its
                sources, publishes what the file holds, then sets it aside and begins a new one.

                Examples:
                  waybill outbox verify
                  waybill outbox verify --file /var/lib/waybill/outbox.sqlite
                """)

        @OptionGroup var control: ControlOptions

        @Option(help: ArgumentHelp("Check this file without asking an agent.", valueName: "path"))
        var file: String?

        @Flag(help: "One JSON object.")
        var json = false

        func run() throws {
            let found = try file.map(checked) ?? asked()
            if json { try printJSON(found) } else { say(found) }
            guard found.problems.isEmpty else { throw Exit.failed }
        }

        private func asked() throws -> VerifyDocument {
            do {
                return try control.client.post(VerifyDocument.self, "/v1/outbox/verify")
            } catch ControlClient.Failure.notRunning(let path) {
                printError("no agent answers at \(path); name the file of a stopped one with --file")
                throw Exit.notRunning
            } catch { return try asking { throw error } }
        }

        private func checked(_ path: String) throws -> VerifyDocument {
            do { return try OutboxCheck.verify(path: path) } catch OutboxCheck.Failure.noFile {
                printError("there is no file \(path)")
                throw Exit.noSuchThing
            } catch OutboxCheck.Failure.notPermitted {
                printError("this user may not read \(path); it belongs to the agent's user")
                throw Exit.noPermission
            } catch {
                printError("\(path) could not be checked: \(error)")
                throw Exit.failed
            }
        }

        private func say(_ found: VerifyDocument) {
            if found.problems.isEmpty { return printLine("healthy: \(found.path)") }
            for problem in found.problems { printLine(problem) }
            printError("damaged: \(found.path)")
            printError("the disk or its cable may fail: look at the kernel log (dmesg) and keep the file")
        }
    }
}
