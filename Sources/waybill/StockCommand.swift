import Agent
import ArgumentParser
import FoundationEssentials

struct StockCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stock", abstract: "Show the agent's balances of a SKU.",
        discussion: """
            Examples:
              waybill stock 1001
              waybill stock 1001 --location W1-B3 --json
            """)

    @OptionGroup var control: ControlOptions

    @Argument(help: "The SKU.")
    var sku: String

    @Option(help: "Only this location.")
    var location: String?

    @Flag(help: "One JSON object a line.")
    var json = false

    func run() throws {
        let lines = try asking {
            try control.client.lines("/v1/stock?" + query([("sku", sku), ("location", location)]))
        }
        guard !lines.isEmpty else {
            printError("no stock of SKU \(sku)\(location.map { " at \($0)" } ?? "") is known")
            printError("  no event of it was captured, or it is written otherwise (leading zeros, case)")
            printError("  look for it with: waybill watch, waybill rejects list")
            throw Exit.noSuchThing
        }
        if json { return lines.forEach { printLine($0) } }
        let buckets = ["unrestricted", "quarantined", "damaged", "blocked", "allocated", "in_transit"]
        printLine(
            padded("location", 16) + padded("lot", 12) + rightAligned("version", 8)
                + (buckets + ["on_hand", "available"]).map { rightAligned($0, 13) }.joined())
        for line in lines {
            let stock = try JSONDecoder().decode(StockDocument.self, from: Data(line.utf8))
            let figures = buckets.map { stock.figures[$0] ?? "-" } + [stock.onHand ?? "-", stock.available ?? "-"]
            printLine(
                padded(stock.location.isEmpty ? "-" : stock.location, 16) + padded(stock.lot, 12)
                    + rightAligned("\(stock.version)", 8) + figures.map { rightAligned($0, 13) }.joined())
        }
    }
}

struct WhyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why",
        abstract: "Show everything behind a SKU's balances: records, events, acks, receipts, replays.",
        discussion: """
            In the order of time, from what the outbox still keeps (outbox.keep), at most the newest 1,000 events.
            Acks and receipts are told to the second.

            Examples:
              waybill why 1001
              waybill why 1001 --location W1-B3 --json
            """)

    @OptionGroup var control: ControlOptions

    @Argument(help: "The SKU.")
    var sku: String

    @Option(help: "Only events that tell of this location.")
    var location: String?

    @Flag(help: "One JSON object a line.")
    var json = false

    func run() throws {
        let lines = try asking {
            // It reads all that is kept: a minute for a large outbox on a slow disk.
            try control.client.lines("/v1/why?" + query([("sku", sku), ("location", location)]), seconds: 600)
        }
        guard !lines.isEmpty else {
            printError("no event of SKU \(sku)\(location.map { " at \($0)" } ?? "") is kept")
            printError("  it was pruned (outbox.keep), or never captured")
            printError("  the balance itself: waybill stock \(sku)")
            throw Exit.noSuchThing
        }
        if json { return lines.forEach { printLine($0) } }
        for line in lines {
            let told = try JSONDecoder().decode(WhyDocument.self, from: Data(line.utf8))
            printLine(
                "\(told.at)  \(padded(told.what, 8)) \(padded(told.lane, 9))\(rightAligned("\(told.sequence)", 8))  \(told.words)"
            )
        }
    }
}

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Show who did what: repairs, refusals, epochs; the newest first.",
        discussion: """
            Examples:
              waybill audit
              waybill audit --limit 1000 --json | jq 'select(.action == "replay")'
            """)

    @OptionGroup var control: ControlOptions

    @Option(help: "At most so many, up to 1,000.")
    var limit = 50

    @Option(help: "Only those before this number: the next page.")
    var before: Int64?

    @Flag(help: "One JSON object a line.")
    var json = false

    func run() throws {
        let lines = try asking {
            try control.client.lines("/v1/audit?" + query([("limit", "\(limit)"), ("before", before.map { "\($0)" })]))
        }
        if json { return lines.forEach { printLine($0) } }
        if lines.isEmpty { return printLine("nothing was done yet") }
        for line in lines {
            let entry = try JSONDecoder().decode(AuditDocument.self, from: Data(line.utf8))
            printLine(
                "\(rightAligned("\(entry.id)", 6))  \(entry.at)  \(padded(entry.actor, 22)) \(padded(entry.action, 8)) "
                    + "\(entry.subject.isEmpty ? "" : entry.subject + ": ")\(entry.outcome)")
        }
    }
}
