import Agent
import ArgumentParser

struct OutboxCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outbox", abstract: "Show what the outbox holds: lanes, size, limit, positions.",
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
        for line in Self.lines(outbox) { printLine(line) }
    }

    static func lines(_ outbox: OutboxDocument) -> [String] {
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
