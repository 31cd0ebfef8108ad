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
              waybill demo --keep
            """)

    @Flag(help: "Go on until Ctrl-C; the truth is told then.")
    var keep = false

    func run() throws {
        let isWell = try configured { try Demo(keepsOn: keep) { printLine($0) }.run() }
        if !isWell { throw Exit.failed }
    }
}
