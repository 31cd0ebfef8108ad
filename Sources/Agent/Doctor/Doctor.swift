import CLinux
import Glibc
import Ingest
package import Inventory
import MQTT
import Outbox

/// Looks at everything that the agent needs, in the order in which a fault would stop it. Changes nothing.
package struct Doctor {
    private let configuration: Configuration

    package init(_ configuration: Configuration) { self.configuration = configuration }

    /// What depends on who the service is: files, disk, brokers. Each finding is handed on as it is known. `isCommand`: no agent
    /// runs in this process, so that root, for whom no file is closed, may take the rights of the user `waybill` for a while.
    package func lookAsService(isCommand: Bool = false, _ tell: (DoctorFinding) -> Void) {
        let probes = files(isCommand: isCommand)
        let found = isCommand ? ServiceUser.acting { probes.map { $0.run() } } : probes.map { $0.run() }
        found.forEach(tell)
        HostProbe.disk(configuration).forEach(tell)
        for broker in configuration.mqtt.brokers where BrokerProbe(broker, configuration.mqtt).run(tell) {
            LoginProbe(configuration, broker).run(tell)
        }
    }

    /// What anybody may ask: the configuration by itself.
    package func check() -> [DoctorFinding] {
        do {
            return try ConfigurationCheck(configuration).run().map { line in
                let isWarning = line.hasPrefix("warning: ")
                return DoctorFinding(
                    "configuration", "", isWarning ? .warning : .ok, isWarning ? String(line.dropFirst(9)) : line)
            }
        } catch { return [Self.refused(error, file: "")] }
    }

    /// A configuration that cannot be used, in one finding.
    package static func refused(_ error: any Error, file: String) -> DoctorFinding {
        let refusal = Refusal(error)
        return DoctorFinding(
            "configuration", file, .failed, ([refusal.what] + refusal.whys).joined(separator: "; "),
            remedies: [refusal.remedy])
    }

    /// `agent`: what the agent's clock showed when it was asked at `asked`.
    package static func clock(
        _ configuration: Configuration?, agent: Timestamp?, asked: Timestamp
    ) -> [DoctorFinding] { HostProbe.clock(configuration, agent: agent, asked: asked) }

    /// Credentials are root's, and the service is handed them: a command cannot judge them as the service would.
    private func files(isCommand: Bool) -> [FileProbe] {
        var probes = [FileProbe(configuration.outbox.directory, .write, what: "data_dir")]
        for source in configuration.sources {
            let what = "source \(source.name)"
            let name = source.path.split(separator: "/").last ?? ""
            let isPattern = name.contains { "*?{".contains($0) }
            probes.append(FileProbe(source.path.directory, .read, what: "\(what), its directory"))
            if !isPattern { probes.append(FileProbe(source.path, .read, what: what)) }
            let tables = source.mapping.lookups.sorted { $0.key < $1.key }.map(\.value)
            for table in tables + [source.mapping.units].compactMap({ $0 }) {
                probes.append(FileProbe(table, .read, what: "\(what), its table"))
            }
        }
        let mqtt = configuration.mqtt
        if mqtt.brokers.contains(where: \.usesTLS) {
            probes.append(FileProbe(mqtt.caFile, .read, what: "mqtt.ca_file"))
            if let file = mqtt.certificateFile { probes.append(FileProbe(file, .read, what: "mqtt.cert_file")) }
            if let file = mqtt.keyFile, !isCommand { probes.append(FileProbe(file, .read, what: "mqtt.key_file")) }
        }
        return probes
    }
}
