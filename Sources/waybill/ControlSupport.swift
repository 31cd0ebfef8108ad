import Agent
import ArgumentParser
import FoundationEssentials
import Glibc

/// How every command finds the running agent.
struct ControlOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The agent's control socket.", valueName: "path"))
    var socket = "/run/waybill/control.sock"

    @OptionGroup var look: StyleOptions

    var style: Style { look.style }
    var client: ControlClient { ControlClient(path: socket) }
}

/// Asks the agent; what stands in the way is said in three lines, with its own exit code.
func asking<T>(_ body: () throws -> T) throws -> T {
    do { return try body() } catch let failure as ControlClient.Failure {
        let (lines, code) = words(failure)
        for line in lines { printError(line) }
        throw code
    }
}

private func words(_ failure: ControlClient.Failure) -> ([String], ExitCode) {
    switch failure {
    case .notRunning(let path):
        (
            [
                "no agent answers at \(path)", "it is not running, or it listens at another socket",
                "see: systemctl status waybill, or name the socket with --socket",
            ], Exit.notRunning
        )
    case .notPermitted(let path):
        (
            [
                "this user may not talk to the agent at \(path)", "the socket belongs to the agent's user and group",
                "join the group: usermod -aG waybill USER, then log in again",
            ], Exit.noPermission
        )
    case .noSuchThing:
        (
            [
                "there is no such thing", "the agent does not know it, or it was resolved meanwhile",
                "see what there is: waybill rejects list, waybill sources, waybill audit",
            ],
            Exit.noSuchThing
        )
    case .failed(let why):
        (["the agent could not answer", why, "look at its log: journalctl -u waybill"], Exit.failed)
    }
}

/// One object, in one line.
func printJSON(_ document: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    printLine(String(decoding: try encoder.encode(document), as: UTF8.self))
}
