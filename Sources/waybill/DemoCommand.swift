import Agent
import ArgumentParser

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Play the main job on this machine: export, outage, rotation, and the truth.",
        discussion: """
            Starts the mosquitto on the PATH on a free loopback port, in a temporary directory, and ends by itself
            within 40 s.

            Examples:
              waybill demo
              waybill demo | tail -n 1
            """)

    func run() throws {
        let isWell = try configured { try Demo { printLine($0) }.run() }
        if !isWell { throw Exit.failed }
    }
}
