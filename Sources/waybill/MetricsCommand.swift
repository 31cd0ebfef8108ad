import Agent
import ArgumentParser

struct MetricsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Print the running agent's metrics, as Prometheus reads them.",
        discussion: """
            Names, labels and what they mean: /usr/share/doc/waybill/operations.md.

            Examples:
              waybill metrics
              waybill metrics > /var/lib/node_exporter/waybill.prom
            """)

    @OptionGroup var control: ControlOptions

    func run() throws {
        for line in try asking({ try control.client.lines("/metrics") }) { printLine(line) }
    }
}
