import Agent
import ArgumentParser
import FoundationEssentials

struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Show events as they enter the outbox, until Ctrl-C.",
        discussion: """
            Examples:
              waybill watch
              waybill watch --json | jq -r .subject
            """)

    @OptionGroup var control: ControlOptions

    @Flag(help: "One event a line, as it is sent.")
    var json = false

    func run() throws {
        try asking {
            try control.client.each("/v1/watch") { line in printLine(json ? line : Self.row(line)) }
        }
        printError("the agent ended the connection")
        throw Exit.failed
    }

    private struct Event: Decodable {
        struct Payload: Decodable {
            struct Amount: Decodable { var value: String? }
            struct Line: Decodable {
                var location: String?
                var unrestricted: String?
            }
            var quantity: Amount?
            var balances: [Line]?
        }
        var type: String
        var subject: String?
        var sequence: String
        var lane: String
        var time: String
        var data: Payload
    }

    private struct Stored: Decodable { var event: Event }

    /// The row of an event within a line of `/v1/events`.
    static func row(stored line: String) -> String {
        (try? JSONDecoder().decode(Stored.self, from: Data(line.utf8))).map { row($0.event) } ?? line
    }

    /// Lane, sequence, time, type, SKU, place, quantity and the stock after it.
    static func row(_ line: String) -> String {
        (try? JSONDecoder().decode(Event.self, from: Data(line.utf8))).map { row($0) } ?? line
    }

    private static func row(_ event: Event) -> String {
        let balance = event.data.balances?.first
        let number = String(event.sequence.drop { $0 == "0" })
        return [
            padded(event.lane, 9), rightAligned(number, 9), event.time, padded(event.type, 22),
            padded(visible(event.subject ?? "-"), 14), padded(visible(balance?.location ?? "-"), 12),
            rightAligned(event.data.quantity?.value ?? "-", 10), "-> \(balance?.unrestricted ?? "-")",
        ].joined(separator: " ")
    }
}
