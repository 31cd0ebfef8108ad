import Agent
import ArgumentParser

@main
struct Waybill: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "waybill",
        abstract: "Carries stock changes from a legacy warehouse system to MQTT, none lost.",
        version: WaybillVersion.text,
        subcommands: [
            StatusCommand.self, OutboxCommand.self, WatchCommand.self, StockCommand.self, WhyCommand.self,
            AuditCommand.self, ReplayCommand.self, ResyncCommand.self, RejectsCommand.self, RunCommand.self,
            CheckCommand.self, TryCommand.self, ReceiveCommand.self, DemoCommand.self, MonitorCommand.self,
            MetricsCommand.self, CompletionCommand.self, VersionCommand.self,
        ],
        defaultSubcommand: StatusCommand.self)
}
