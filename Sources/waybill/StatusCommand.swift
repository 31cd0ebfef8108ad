import Agent
import ArgumentParser
import Glibc

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how the running agent is: what is wrong and since when, how far behind, what to type next.",
        discussion: """
            Exits with 0 when all is well and with 1 when something needs attention.

            Examples:
              waybill status
              waybill status --watch
              waybill status --json | jq .lanes
            """)

    @OptionGroup var control: ControlOptions

    @Flag(help: "Show it again every 2 s, until Ctrl-C.")
    var watch = false

    @Flag(help: "One JSON object.")
    var json = false

    private static let watchInterval: Int32 = 2_000

    func run() throws {
        while watch {
            let status = try ask()
            if isatty(STDOUT_FILENO) == 1, !json { writeText("\u{1B}[H\u{1B}[2J", to: STDOUT_FILENO) }
            try show(status)
            poll(nil, 0, Self.watchInterval)
        }
        let status = try ask()
        try show(status)
        if status.health != "ok" { throw Exit.failed }
    }

    private func ask() throws -> StatusDocument {
        try asking { try control.client.get(StatusDocument.self, "/v1/status") }
    }

    private func show(_ status: StatusDocument) throws {
        if json { return try printJSON(status) }
        for line in StatusText(status, control.style).lines { printLine(line) }
    }
}

/// The page that a technician reads first.
struct StatusText {
    private let status: StatusDocument
    private let style: Style
    private static let mostDone = 10

    init(_ status: StatusDocument, _ style: Style) {
        self.status = status
        self.style = style
    }

    var lines: [String] {
        [
            style.heading("\(status.tenant)/\(status.site)")
                + "  waybill \(status.version), pid \(status.pid), started \(moment(status.startedAt))",
            "",
        ] + health + broker + [""] + lanes + centre + [""] + sources + [""] + done + [""] + foot
    }

    private var health: [String] {
        guard !status.details.isEmpty else { return ["health    " + style.good("ok: all is well")] }
        let count = status.details.count == 1 ? "one thing" : "\(status.details.count) things"
        return ["health    " + style.bad("NEEDS ATTENTION: \(count)")]
            + status.details.flatMap { reason in
                [
                    "  " + style.bad("! ") + visible(reason.words),
                    "      since \(moment(reason.since)); type: \(style.heading(reason.next))",
                ]
            }
    }

    private var broker: [String] {
        let since = status.connectionSince.map { ", since \(moment($0))" } ?? ""
        return ["broker    \(status.isConnected ? "connected" : style.bad("not connected"))\(since)"]
    }

    private var lanes: [String] {
        let headings = ["behind", "waiting", "acked", "head"].map { rightAligned($0, 12) }.joined()
        return [style.heading(padded("lane", 10) + headings)]
            + status.lanes.map { lane in
                let behind = lane.oldestUnackedAt.map { TimeWords.age(from: $0, to: status.at) } ?? "-"
                let figures = ["\(lane.backlog)", "\(lane.acked)", "\(lane.head)"].map { rightAligned($0, 12) }
                return padded(lane.name, 10) + rightAligned(behind, 12) + figures.joined()
            }
    }

    private var centre: [String] {
        status.receipts.map { receipt in
            let behind = receipt.behind.map { $0 == 0 ? "all of it" : "\($0) behind" } ?? "of an earlier epoch"
            return
                "centre    \(receipt.requester) has \(receipt.lane) up to \(receipt.sequence), \(behind), "
                + "said \(age(receipt.at)) ago"
        }
    }

    private var sources: [String] {
        [style.heading(padded("source", 20) + padded("last record", 14) + padded("rejects", 10) + "status")]
            + status.sources.map { source in
                let last = source.lastRecordAt.map { age($0) + " ago" } ?? "-"
                let words = source.status == "ok" ? "ok" : style.bad(visible(source.status))
                return padded(source.name, 20) + padded(last, 14) + padded("\(source.rejects)", 10) + words
            }
    }

    private var done: [String] {
        guard !status.done.isEmpty else { return ["done in the last 24 hours: nothing"] }
        var lines = [style.heading("done in the last 24 hours")]
        lines += status.done.prefix(Self.mostDone).map { entry in
            let subject = entry.subject.isEmpty ? "" : " \(entry.subject)"
            return visible("  \(moment(entry.at))  \(entry.actor): \(entry.action)\(subject): \(entry.outcome)")
        }
        if status.done.count > Self.mostDone { lines.append("  and more: waybill audit") }
        return lines
    }

    private var foot: [String] {
        let megabytes = Double(status.process.residentBytes / 100_000) / 10
        return
            ["epoch \(status.epoch), \(megabytes) MB resident, \(Int(status.process.cpuSeconds)) s of CPU"]
            + (status.next.map { ["next      " + style.heading($0)] } ?? [])
    }

    private func moment(_ text: String) -> String { "\(TimeWords.local(text)) (\(age(text)) ago)" }

    private func age(_ text: String) -> String { TimeWords.age(from: text, to: status.at) }
}
