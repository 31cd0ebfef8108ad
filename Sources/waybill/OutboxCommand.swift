import Agent
import ArgumentParser
import FoundationEssentials
import Inventory

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
            abstract: "Show what the outbox holds: lanes, size, limit, positions; or a lane's events.",
            discussion: """
                With --lane its newest events, or with --since those from then on: a moment such as
                2026-11-01T06:00:00Z, or how long ago, such as 30min or 2h.

                Examples:
                  waybill outbox
                  waybill outbox --lane critical --since 30min
                  waybill outbox --json | jq .room
                """)

        @OptionGroup var control: ControlOptions

        @Option(help: "This lane's events: critical, standard or bulk.")
        var lane: String?

        @Option(help: ArgumentHelp("From then on.", valueName: "time"))
        var since: String?

        @Option(help: "At most so many events, up to 512.")
        var limit = 50

        @Flag(help: "One JSON object; of events, one a line.")
        var json = false

        func validate() throws {
            guard lane != nil || since == nil else { throw ValidationError("--since wants a --lane") }
            if let lane, Lane(name: lane) == nil { throw ValidationError("\"\(lane)\" is no lane") }
            if let since, moment(since) == nil {
                throw ValidationError("\"\(since)\" is neither a moment such as 2026-11-01T06:00:00Z nor such as 2h")
            }
        }

        func run() throws {
            if let lane { return try events(lane) }
            let outbox = try asking { try control.client.get(OutboxDocument.self, "/v1/outbox") }
            if json { return try printJSON(outbox) }
            for line in lines(outbox) { printLine(line) }
        }

        private func moment(_ text: String) -> Timestamp? {
            if let moment = Timestamp(rfc3339: text) { return moment }
            let units: [String: Int64] = ["s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000]
            let digits = text.prefix { $0.isASCII && $0.isNumber }
            guard let count = Int64(digits), count < 1_000_000, let unit = units[String(text.dropFirst(digits.count))]
            else { return nil }
            return Timestamp(milliseconds: Clocks.wall().milliseconds - count * unit)
        }

        private struct Line: Decodable { var acked: Bool }

        private func events(_ lane: String) throws {
            let members = [("lane", lane), ("since", since.flatMap(moment)?.description), ("limit", "\(limit)")]
            let lines = try asking { try control.client.lines("/v1/events?" + query(members)) }
            if json { return lines.forEach { printLine($0) } }
            if lines.isEmpty {
                return printLine("no event of lane \(lane) is kept\(since == nil ? "" : " from then on")")
            }
            for line in lines {
                let isAcked = (try? JSONDecoder().decode(Line.self, from: Data(line.utf8)))?.acked ?? false
                printLine(padded(isAcked ? "acked" : "waiting", 8) + WatchCommand.row(stored: line))
            }
        }

        private func lines(_ outbox: OutboxDocument) -> [String] {
            var lines = [
                "file      \(outbox.path), \(outbox.fileBytes >> 20) MiB and \(outbox.walBytes >> 20) MiB of WAL; limit "
                    + "\(outbox.limitBytes >> 20) MiB",
                "reading   \(outbox.room)",
                "rejects   \(outbox.rejects) open",
                "epoch     \(outbox.epoch), instance \(outbox.instance)", "",
                padded("lane", 10) + ["head", "acked", "backlog"].map { rightAligned($0, 12) }.joined(),
            ]
            lines += outbox.lanes.map { lane in
                padded(lane.name, 10)
                    + [lane.head, lane.acked, lane.backlog].map { rightAligned("\($0)", 12) }.joined()
            }
            lines += ["", padded("source", 20) + "a new outbox would begin at"]
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
