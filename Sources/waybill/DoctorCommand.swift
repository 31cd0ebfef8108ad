import Agent
import ArgumentParser
import FoundationEssentials
import Glibc
import Inventory

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look at all that the agent needs, step by step, and say what mends what is wrong.",
        discussion: """
            Configuration, files as the service's user, disk, clock, and each broker: name, port, TLS, login, access
            list, ack. Files and brokers are looked at by the running agent, or else by this command. Nothing is
            changed; consumers hear one empty message a topic, and pass over it.

            Exits with 0 when nothing failed, else with 1.

            Examples:
              waybill doctor
              sudo waybill doctor --local --config /etc/waybill/agent.conf
              waybill doctor --json | jq 'select(.verdict == "failed")'
            """)

    @OptionGroup var control: ControlOptions

    @Option(help: "The configuration file.")
    var config = "/etc/waybill/agent.conf"

    @Flag(help: "Look from here, without the running agent.")
    var local = false

    @Flag(help: "One JSON object a line.")
    var json = false

    func run() throws {
        // A broker that closes in the middle of a handshake must not end the look at it.
        signal(SIGPIPE, SIG_IGN)
        let tally = Tally()
        let tell: (DoctorFinding) -> Void = { finding in
            tally.note(finding)
            if json { try? printJSON(finding) } else { lines(finding).forEach { printLine($0) } }
        }
        let configuration = self.read(tell)
        configuration.map { Doctor($0).check() }?.forEach(tell)
        let (status, asked) = (local ? nil : agent(tell), Clocks.wall())
        Doctor.clock(configuration, agent: status.flatMap { Timestamp(rfc3339: $0.at) }, asked: asked).forEach(tell)
        if status != nil {
            try throughAgent(tell)
        } else if let configuration {
            Doctor(configuration).lookAsService(isCommand: true, tell)
        }
        if !json { printLine("\(tally.ok) ok, \(tally.warnings) warnings, \(tally.failed) failed") }
        if tally.failed > 0 { throw Exit.failed }
    }

    private final class Tally {
        var (ok, warnings, failed) = (0, 0, 0)

        func note(_ finding: DoctorFinding) {
            switch finding.verdict {
            case .ok: ok += 1
            case .warning: warnings += 1
            case .failed: failed += 1
            case .skipped: break
            }
        }
    }

    private func read(_ tell: (DoctorFinding) -> Void) -> Configuration? {
        // A technician may ask the agent without having the right to read its configuration.
        guard access(config, R_OK) == 0 || errno != EACCES else {
            tell(DoctorFinding("configuration", config, .skipped, "this user may not read it"))
            return nil
        }
        do { return try loadConfiguration(config) } catch {
            tell(Doctor.refused(error, file: config))
            return nil
        }
    }

    /// How the running agent is; nil when none answers.
    private func agent(_ tell: (DoctorFinding) -> Void) -> StatusDocument? {
        do {
            let status = try control.client.get(StatusDocument.self, "/v1/status")
            tell(
                DoctorFinding(
                    "agent", control.socket, .ok, "\(status.tenant)/\(status.site), version \(status.version)"))
            for reason in status.details {
                tell(
                    DoctorFinding(
                        "agent", reason.subject ?? "", .warning,
                        "\(reason.words), since \(TimeWords.local(reason.since))",
                        remedies: reason.next == "waybill doctor" ? [] : [reason.next]))
            }
            return status
        } catch ControlClient.Failure.notPermitted {
            tell(
                DoctorFinding(
                    "agent", control.socket, .failed, "this user may not ask it",
                    remedies: ["usermod -aG waybill USER, then log in again"]))
        } catch {
            tell(
                DoctorFinding(
                    "agent", control.socket, .failed, "no agent answers",
                    remedies: ["systemctl start waybill", "journalctl -u waybill -n 50"]))
        }
        return nil
    }

    private func throughAgent(_ tell: (DoctorFinding) -> Void) throws {
        try asking {
            try control.client.each("/v1/doctor", method: "POST", seconds: 60) { line in
                let data = Data(line.utf8)
                if let refusal = try? JSONDecoder().decode(RefusalDocument.self, from: data) {
                    printError("the agent is being looked at already")
                    printError("  \(refusal.refused)")
                    printError("  or look from here: waybill doctor --local")
                    throw Exit.failed
                }
                tell(try JSONDecoder().decode(DoctorFinding.self, from: data))
            }
        }
    }

    private func lines(_ finding: DoctorFinding) -> [String] {
        let style = control.style
        let verdict =
            switch finding.verdict {
            case .ok: style.good(padded("ok", 8))
            case .warning: style.warning(padded("WARNING", 8))
            case .failed: style.bad(padded("FAILED", 8))
            case .skipped: padded("skipped", 8)
            }
        let subject = finding.subject.isEmpty ? "" : "\(finding.subject): "
        return ["\(verdict) \(padded(finding.step, 14))\(visible(subject + finding.words))"]
            + finding.remedies.map { "           " + $0 }
    }
}
