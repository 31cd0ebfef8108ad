import Agent
import ArgumentParser
import FoundationEssentials
import Glibc
import Inventory

struct SupportBundleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "support-bundle",
        abstract: "Write what helps whoever supports this site into one text, to read before it is sent.",
        discussion: """
            Versions, figures, which keys are set, what doctor found. No payloads, stock, secrets, paths, hosts or
            names: what is in it was let in one by one.

            Examples:
              waybill support-bundle
              waybill support-bundle --output - | less
            """)

    @OptionGroup var control: ControlOptions

    @Option(help: "The configuration file.")
    var config = "/etc/waybill/agent.conf"

    @Option(help: ArgumentHelp("Where to write it; - is stdout.", valueName: "file"))
    var output = "waybill-support.txt"

    func run() throws {
        let text = SupportBundle(client: control.client, configuration: config).text()
        if output == "-" {
            writeText(text, to: STDOUT_FILENO)
            return
        }
        let descriptor = creat(output, 0o600)
        guard descriptor >= 0, writeText(text, to: descriptor), close(descriptor) == 0 else {
            printError("\(output) cannot be written")
            printError("  \(String(cString: strerror(errno)))")
            printError("  name another place with --output, or - for stdout")
            throw Exit.failed
        }
        printLine("\(output): \(text.utf8.count) bytes; read it before you send it")
    }
}
