import Agent
import ArgumentParser

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version and the outbox schema.",
        discussion: """
            Examples:
              waybill version
              waybill version --json
            """)

    @Flag(help: "One JSON object.")
    var json = false

    func run() {
        if json {
            print(#"{"schema":1,"version":"\#(WaybillVersion.text)","outbox_schema":\#(WaybillVersion.outboxSchema)}"#)
        } else {
            print("waybill \(WaybillVersion.text), outbox schema \(WaybillVersion.outboxSchema)")
        }
    }
}
