import Agent
import ArgumentParser

extension SourcesCommand {
    struct Files: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what became of a drop directory's files, the latest first.",
            discussion: """
                read: its records became events or rejects. refused: nothing of it was read. repeated: its content was read
                before. skipped: it was there before the source began. A file that waits is in the source's status.

                Examples:
                  waybill sources files stock
                  waybill sources files stock --not-read
                  waybill sources files stock --name 20261126 --json
                """)

        @OptionGroup var control: ControlOptions

        @Argument(help: "The source's name.")
        var source: String

        @Option(help: "Only files whose names hold this, in either case.")
        var name: String?

        @Flag(help: "Only those that were not read: refused, repeated, skipped.")
        var notRead = false

        @Option(help: "So many at most, up to 1000.")
        var limit = 50

        @Flag(help: "One JSON object a line.")
        var json = false

        func validate() throws {
            if !(1...1_000).contains(limit) { throw ValidationError("--limit wants 1 to 1000") }
        }

        func run() throws {
            let members = [
                ("name", source), ("text", name), ("besides_read", notRead ? "1" : nil), ("limit", "\(limit)"),
            ]
            let files = try control.order(
                SourceFileList.self, "/v1/sources/files?" + query(members), method: "GET",
                otherwise: "no files can be shown of \(source)", "see what it is: waybill sources \(source)"
            ).files
            if json { return try files.forEach { try printJSON($0) } }
            if files.isEmpty { return printLine("no such file was seen yet") }
            for file in files {
                let outcome = padded(file.outcome, 9)
                let told = file.outcome == "refused" ? control.style.bad(outcome) : outcome
                let reason = file.reason.map { "  \(visible($0))" } ?? ""
                printLine("\(file.at)  \(told) \(visible(file.name))\(reason)")
            }
        }
    }
}
