import Agent
import ArgumentParser
import Glibc
import Logging

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the agent in the foreground until SIGTERM or Ctrl-C.",
        discussion: """
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
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        let logger = Logger(label: "waybill") { StreamLogHandler.standardError(label: $0) }
        let configuration = try configured { try loadConfiguration(config) }
        let agent = try configured { try RunningAgent(configuration, logger: logger, environment: environment) }
        logger.info(
            "started",
            metadata: [
                "version": "\(WaybillVersion.text)", "config": "\(config)", "socket": "\(configuration.controlSocket)",
            ])
        var signal: Int32 = 0
        sigwait(&signals, &signal)
        logger.info("stopping")
        agent.shutDown()
    }
}
