import Agent
import ArgumentParser
import FoundationEssentials
import Inventory

struct SourcesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sources", abstract: "Look at sources; pause, resume or rewind one.",
        discussion: """
            Examples:
              waybill sources
              waybill sources moves
              waybill sources files stock
              waybill sources pause moves
            """,
        subcommands: [Show.self, Files.self, Accept.self, Reject.self, Pause.self, Resume.self, Rewind.self],
        defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show all sources, or one: status, where it stands, what its records became.",
            discussion: """
                What is counted is counted since the agent's start; rejects are all that are open.

                Examples:
                  waybill sources
                  waybill sources moves --json | jq .position
                """)

        @OptionGroup var control: ControlOptions

        @Argument(help: "The source's name; default: all.")
        var name: String?

        @Flag(help: "One JSON object a line.")
        var json = false

        func run() throws {
            let sources = try control.sources(named: name)
            if json { return try sources.forEach { try printJSON($0) } }
            guard name == nil, sources.count != 1 else { return sources.forEach { tell($0) } }
            printLine(
                control.style.heading(
                    padded("source", 20) + padded("last record", 14)
                        + ["events", "ignored", "rejected", "open"].map { rightAligned($0, 10) }.joined() + "  status"))
            for source in sources { printLine(row(source)) }
        }

        private func row(_ source: SourceDocument) -> String {
            let figures = [source.events, source.ignored, source.rejected, source.rejects].map {
                rightAligned("\($0)", 10)
            }
            return padded(source.name, 20) + padded(last(source), 14) + figures.joined() + "  " + status(source)
        }

        private func tell(_ source: SourceDocument) {
            let records = "\(source.events) events, \(source.ignored) ignored, \(source.rejected) rejected"
            for (name, words) in [
                ("source", "\(source.name) (\(source.kind))"), ("path", visible(source.path)),
                ("status", status(source)),
                ("holds", visible(source.hold ?? "-")),
                ("stands at", source.position ?? "nothing was read yet"),
                ("last record", last(source) + (source.lastRecord.map { ", at \(visible($0))" } ?? "")),
                ("records", "\(records) since the start"), ("rejects", "\(source.rejects) open"),
                ("mapping", source.mapping ?? "-"),
                (
                    "rewind",
                    source.canRewind
                        ? "possible: every rule gives id and occurred_at"
                        : "not possible: a rule gives no id or no occurred_at"
                ),
            ] { printLine(padded(name, 13) + words) }
        }

        private func status(_ source: SourceDocument) -> String {
            let style = control.style
            guard source.status == "ok" else { return style.bad(visible(source.status)) }
            return source.lag > 0 ? "ok, has more for \(TimeWords.age(milliseconds: source.lag))" : style.good("ok")
        }

        private func last(_ source: SourceDocument) -> String {
            guard let at = source.lastRecordAt else { return "-" }
            return TimeWords.age(from: at, to: Clocks.wall().description) + " ago"
        }
    }
}

extension ControlOptions {
    /// Exit 5 when there is none of that name.
    func sources(named name: String?) throws -> [SourceDocument] {
        let lines = try asking { try client.lines("/v1/sources?" + query([("name", name)])) }
        guard !lines.isEmpty || name == nil else {
            printError("no source is named \(name ?? "")")
            printError("  the configuration of the running agent has none of that name")
            printError("  see what there is: waybill sources")
            throw Exit.noSuchThing
        }
        return try lines.map { try JSONDecoder().decode(SourceDocument.self, from: Data($0.utf8)) }
    }
}
