import Agent
import ArgumentParser
import Inventory
import Receiver

/// The file that the views look at.
struct ReceiverFile: ParsableArguments {
    @Option(help: ArgumentHelp("The receiver's file.", valueName: "file"))
    var db: String

    @Option(help: "Only this site.")
    var site: String?

    @Flag(help: "One JSON object a line.")
    var json = false

    func view() throws -> ReceiverView { try receiving { try ReceiverView(path: db) } }
}

extension ReceiveCommand {
    struct Stock: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the stock that the receiver has, at most 10,000 lines.",
            discussion: """
                A figure in brackets is the last that was known: the agent does not confirm it any more.

                Examples:
                  waybill receive stock --db acme.sqlite
                  waybill receive stock --db acme.sqlite --site dc-1 --sku 1001 --json
                """)

        @OptionGroup var file: ReceiverFile

        @Option(help: "Only this SKU.")
        var sku: String?

        func run() throws {
            let lines = try file.view().stock(site: file.site, sku: sku, limit: 10_000)
            if file.json { return try lines.forEach { try printJSON($0) } }
            if lines.isEmpty { return printLine("no stock") }
            let buckets = ["unrestricted", "quarantined", "damaged", "blocked", "allocated", "in_transit"]
            printLine(
                padded("site", 12) + padded("sku", 16) + padded("location", 14) + padded("lot", 10)
                    + buckets.map { rightAligned($0, 14) }.joined())
            for line in lines {
                let figures = buckets.map { bucket in
                    let figure = line.figures[bucket] ?? "-"
                    return rightAligned(line.unconfirmed.contains(bucket) ? "(\(figure))" : figure, 14)
                }
                printLine(
                    padded(line.site, 12) + padded(line.sku, 16) + padded(line.location, 14) + padded(line.lot, 10)
                        + figures.joined())
            }
        }
    }

    struct Gaps: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what was missing and what became of it: gaps, losses, epochs, drift; newest first.",
            discussion: """
                Examples:
                  waybill receive gaps --db acme.sqlite
                  waybill receive gaps --db acme.sqlite --site dc-1 --json
                """)

        @OptionGroup var file: ReceiverFile

        private struct Document: Encodable {
            var schema = 1
            var at: String
            var site: String
            var kind: String
            var lane: String?
            var epoch: String?
            var first: Int64?
            var last: Int64?
            var words: String
        }

        func run() throws {
            let entries = try file.view().log(site: file.site, limit: 1_000)
            if entries.isEmpty, !file.json { return printLine("nothing was missing") }
            for entry in entries {
                if file.json {
                    try printJSON(
                        Document(
                            at: entry.at.description, site: entry.site, kind: entry.kind, lane: entry.lane,
                            epoch: entry.epoch, first: entry.first, last: entry.last, words: entry.words))
                    continue
                }
                let range = entry.first.map { first in "\(first)-\(entry.last ?? first) " } ?? ""
                printLine(
                    "\(entry.at)  \(padded(entry.site, 12)) \(padded(entry.kind, 9)) \(padded(entry.lane ?? "", 9))"
                        + "\(range)\(entry.words)")
            }
        }
    }

    struct Sites: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the sites that the receiver follows, and how far.",
            discussion: """
                Examples:
                  waybill receive sites --db acme.sqlite
                  waybill receive sites --db acme.sqlite --json | jq .offsets
                """)

        @OptionGroup var file: ReceiverFile

        func run() throws {
            let sites = try file.view().sites(file.site)
            if file.json { return try sites.forEach { try printJSON($0) } }
            if sites.isEmpty { return printLine("no site was heard yet") }
            printLine(
                padded("site", 16) + padded("epoch", 24)
                    + ["critical", "standard", "bulk", "keys"].map { rightAligned($0, 12) }.joined())
            for line in sites {
                let offsets = ["critical", "standard", "bulk"].map { rightAligned("\(line.offsets[$0] ?? 0)", 12) }
                printLine(
                    padded(line.site, 16) + padded(line.epoch, 24) + offsets.joined() + rightAligned("\(line.keys)", 12)
                        + (line.isResyncing ? "  resyncing" : ""))
            }
        }
    }
}
