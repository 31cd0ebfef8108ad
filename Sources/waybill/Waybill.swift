import Agent
import ArgumentParser
import Glibc

@main
enum Program {
    /// What the command line itself has wrong ends with 2; all else as the command says.
    static func main() {
        do {
            var command = try Waybill.parseAsRoot()
            try command.run()
        } catch {
            guard Waybill.exitCode(for: error) == .validationFailure else { Waybill.exit(withError: error) }
            writeText(Waybill.fullMessage(for: error) + "\n", to: STDERR_FILENO)
            Glibc.exit(Exit.usage.rawValue)
        }
    }
}

struct Waybill: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "waybill",
        abstract: "Carries stock changes from a legacy warehouse system to MQTT, none lost.",
        version: WaybillVersion.text,
        subcommands: [
            StatusCommand.self, SourcesCommand.self, OutboxCommand.self, WatchCommand.self, StockCommand.self,
            WhyCommand.self, ReconcileCommand.self,
            AuditCommand.self, ReplayCommand.self, ResyncCommand.self, RejectsCommand.self, RunCommand.self,
            CheckCommand.self, TryCommand.self, ReceiveCommand.self, DemoCommand.self, DoctorCommand.self,
            SupportBundleCommand.self,
            MonitorCommand.self,
            MetricsCommand.self, CompletionCommand.self, VersionCommand.self,
        ],
        defaultSubcommand: StatusCommand.self)
}
