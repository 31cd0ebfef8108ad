import CLinux
import Glibc
import Ingest
import Inventory
import Outbox

/// Room on the disk, and whether the machine's clock can be believed.
enum HostProbe {
    static func disk(_ configuration: Configuration) -> [DoctorFinding] {
        let options = configuration.outbox
        let free = Outbox.freeBytes(options.directory)
        guard free != .max else {
            return [DoctorFinding("disk", options.directory, .skipped, "its filesystem cannot be asked")]
        }
        let words = "\(free >> 20) MiB free, \(options.reserveBytes >> 20) MiB are never used"
        var findings: [DoctorFinding] = []
        if free <= options.reserveBytes {
            findings.append(
                DoctorFinding(
                    "disk", options.directory, .failed, "\(words): reading is stopped until there is more",
                    remedies: ["df -h \(options.directory)", "journalctl --vacuum-size=200M"]))
        } else if free < options.reserveBytes + options.limitBytes {
            findings.append(
                DoctorFinding(
                    "disk", options.directory, .warning,
                    "\(words): an outage could fill it before the outbox reaches its limit of "
                        + "\(options.limitBytes >> 20) MiB",
                    remedies: ["lower outbox.limit in /etc/waybill/conf.d, or give the filesystem more room"]))
        } else {
            findings.append(DoctorFinding("disk", options.directory, .ok, words))
        }
        for source in configuration.sources where ConfigurationCheck.sharesFilesystem(source.path, configuration) {
            findings.append(
                DoctorFinding(
                    "disk", source.path, .warning,
                    "shares a filesystem with \(options.directory): a full one stops both"))
        }
        return findings
    }

    /// `agent`: what the agent's clock showed at the wall time `asked`, if there is one.
    static func clock(_ configuration: Configuration?, agent: Timestamp?, asked: Timestamp) -> [DoctorFinding] {
        var findings = [synchronised()]
        if let agent, abs(agent.milliseconds - asked.milliseconds) > 5_000 {
            findings.append(
                DoctorFinding(
                    "clock", "agent", .warning, "the agent's clock differs by more than 5 s from this command's",
                    remedies: ["timedatectl status"]))
        }
        for source in configuration?.sources ?? [] {
            var status = stat()
            guard stat(source.path, &status) == 0 else { continue }
            let ahead = Int64(status.st_mtim.tv_sec) - asked.milliseconds / 1_000
            guard ahead > 60 else { continue }
            findings.append(
                DoctorFinding(
                    "clock", source.path, .warning,
                    "was changed \(ahead) s in the future: this clock or the WMS's is wrong",
                    remedies: ["timedatectl status", "date -u"]))
        }
        return findings
    }

    private static func synchronised() -> DoctorFinding {
        var state = timex()
        let code = adjtimex(&state)
        guard code >= 0 else {
            return DoctorFinding("clock", "kernel", .skipped, "it cannot be asked: \(String(cString: strerror(errno)))")
        }
        guard state.status & STA_UNSYNC == 0 else {
            return DoctorFinding(
                "clock", "kernel", .warning, "it is not synchronised with any time server",
                remedies: ["timedatectl set-ntp true", "timedatectl timesync-status"])
        }
        return DoctorFinding("clock", "kernel", .ok, "synchronised, at most \(state.maxerror / 1_000) ms off")
    }
}
