import Agent
import ArgumentParser
import Glibc
import Logging

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the agent in the foreground until SIGTERM or Ctrl-C.",
        discussion: """
            SIGHUP reads the configuration again: sources, mappings, lookup tables and the outbox's limits change
            without the connection being dropped; what has to wait for the next start is logged.

            Examples:
              waybill run
              waybill run --config ./agent.conf
            """)

    @Option(help: "The configuration file.")
    var config = "/etc/waybill/agent.conf"

    func run() throws {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGHUP)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        let logger = Logger(label: "waybill") { StreamLogHandler.standardError(label: $0) }
        let configuration = try configured {
            let configuration = try loadConfiguration(config)
            try configuration.requireCredentials()
            return configuration
        }
        let agent = try configured { try RunningAgent(configuration, logger: logger, environment: environment) }
        logger.info(
            "started",
            metadata: [
                "version": "\(WaybillVersion.text)", "config": "\(config)", "socket": "\(configuration.controlSocket)",
            ])
        var signal: Int32 = 0
        while sigwait(&signals, &signal) == 0, signal == SIGHUP { reload(agent, logger) }
        logger.info("stopping")
        agent.shutDown()
    }

    /// What is wrong with the new configuration leaves the present one in force.
    private func reload(_ agent: RunningAgent, _ logger: Logger) {
        do {
            for notice in try agent.reload(try loadConfiguration(config)) { logger.warning("\(notice)") }
            logger.info("reloaded", metadata: ["config": "\(config)"])
        } catch {
            let refusal = Refusal(error)
            logger.error(
                "not reloaded; the configuration of before counts on",
                metadata: [
                    "why": "\(refusal.what): \(refusal.whys.joined(separator: "; "))", "do": "\(refusal.remedy)",
                ])
        }
    }
}
