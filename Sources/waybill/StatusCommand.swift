import Agent
import ArgumentParser

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how the running agent is: connection, lanes, sources, what is wrong.",
        discussion: """
            Exits with 0 when all is well and with 1 when something needs attention.

            Examples:
              waybill status
              waybill status --json | jq .lanes
            """)

    @OptionGroup var control: ControlOptions

    @Flag(help: "One JSON object.")
    var json = false

    func run() throws {
        let status = try asking { try control.client.get(StatusDocument.self, "/v1/status") }
        if json { try printJSON(status) } else { Self.lines(status).forEach { printLine($0) } }
        if status.health != "ok" { throw Exit.failed }
    }

    static func lines(_ status: StatusDocument) -> [String] {
        var lines = [
            "\(status.tenant)/\(status.site)  waybill \(status.version), pid \(status.pid), since \(status.startedAt)",
            "broker    \(status.isConnected ? "connected" : "not connected")",
            "health    \(status.health)",
        ]
        lines += status.reasons.map { "          \($0)" }
        lines += [""] + laneTable(status.lanes)
        lines += status.receipts.map { "receipt   \($0.requester) has \($0.lane) up to \($0.sequence), said \($0.at)" }
        lines += ["", padded("source", 20) + padded("rejects", 10) + "status"]
        lines += status.sources.map { padded($0.name, 20) + padded("\($0.rejects)", 10) + $0.status }
        let megabytes = Double(status.process.residentBytes / 100_000) / 10
        lines += ["", "epoch \(status.epoch), \(megabytes) MB resident, \(Int(status.process.cpuSeconds)) s of CPU"]
        return lines
    }
}
