import Agent
import ArgumentParser

struct MonitorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monitor", abstract: "Say how it is as a Nagios plugin: one line with figures, exit 0 to 3.",
        discussion: """
            0 well; 1 something needs attention; 2 the agent does not run, or more
            waits than is allowed; 3 it cannot be told. This command alone has these
            exit codes.

            Examples:
              waybill monitor
              waybill monitor --critical-backlog 50000
            """)

    @OptionGroup var control: ControlOptions

    @Option(help: ArgumentHelp("Critical when as many events wait in one lane.", valueName: "events"))
    var criticalBacklog: Int64?

    func run() throws {
        let verdict = self.verdict()
        printLine("WAYBILL \(verdict.level) - \(verdict.words)")
        if verdict.level != .ok { throw ExitCode(verdict.level.rawValue) }
    }

    private enum Level: Int32, CustomStringConvertible {
        case ok, warning, critical, unknown

        var description: String { ["OK", "WARNING", "CRITICAL", "UNKNOWN"][Int(rawValue)] }
    }

    private func verdict() -> (level: Level, words: String) {
        do {
            let status = try control.client.get(StatusDocument.self, "/v1/status")
            let waiting = status.lanes.reduce(0) { $0 + $1.backlog }
            let isFull = criticalBacklog.map { most in status.lanes.contains { $0.backlog >= most } } ?? false
            let level: Level = isFull ? .critical : status.health == "ok" ? .ok : .warning
            let words =
                status.reasons.first.map { plain($0) + (status.reasons.count > 1 ? ", and more" : "") }
                ?? "\(status.isConnected ? "connected" : "not connected"), \(waiting) events wait"
            return (level, "\(words) | \(figures(status))")
        } catch let failure as ControlClient.Failure {
            switch failure {
            case .notRunning(let path): return (.critical, "no agent answers at \(path)")
            case .notPermitted(let path): return (.unknown, "this user may not talk to the agent at \(path)")
            case .noSuchThing: return (.unknown, "the agent is of another version")
            case .failed(let why): return (.critical, plain(why))
            }
        } catch { return (.unknown, "the agent's answer cannot be read") }
    }

    /// A bar ends the words, and a line end the whole.
    private func plain(_ text: String) -> String { text.replacing("|", with: "/").replacing("\n", with: " ") }

    private func figures(_ status: StatusDocument) -> String {
        let most = criticalBacklog.map { "\($0)" } ?? ""
        let lanes = status.lanes.map { "backlog_\($0.name)=\($0.backlog);;\(most);0" }
        let rejects = status.sources.reduce(0) { $0 + $1.rejects }
        return (lanes + ["rejects=\(rejects);;;0", "resident=\(status.process.residentBytes)B;;;0"])
            .joined(separator: " ")
    }
}
