import Agent
import ArgumentParser
import FoundationEssentials

extension SourcesCommand {
    struct Pause: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop reading a source until it is resumed, also over restarts.",
            discussion: """
                What was read is published all the same, and nothing is lost while the WMS keeps its files.

                Examples:
                  waybill sources pause moves
                  waybill sources pause moves --dry-run
                """)

        @OptionGroup var change: SourceChange

        func run() throws { try change.carryOut("pause") }
    }

    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read a paused source on from where it stood.",
            discussion: """
                Examples:
                  waybill sources resume moves
                  waybill sources resume moves --yes --json
                """)

        @OptionGroup var change: SourceChange

        func run() throws { try change.carryOut("resume") }
    }

    struct Accept: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a held export be read: somebody looked, and it is true.",
            discussion: """
                A full export in which too many keys are gone, or a file whose content was read before, waits for a word.
                It counts for that very content alone; status and sources say what is held, and why.

                Examples:
                  waybill sources accept stock --dry-run
                  waybill sources accept stock
                """)

        @OptionGroup var change: SourceChange

        func run() throws { try change.carryOut("accept") }
    }

    struct Reject: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse a held export: the stock stays as it was, and what comes after it is read.",
            discussion: """
                Examples:
                  waybill sources reject stock --dry-run
                  waybill sources reject stock --yes
                """)

        @OptionGroup var change: SourceChange

        func run() throws { try change.carryOut("reject") }
    }

    struct Rewind: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read a source again from its beginning or from a day; what was seen gives no second event.",
            discussion: """
                For records that were missed, or read by a mapping that was wrong: those that became an event, and whose
                id is still remembered (45 days), are passed over. Records of which that cannot be known become rejects.
                Only for a source whose every rule gives id and occurred_at; a reject that stands twice gives one event.

                Examples:
                  waybill sources rewind moves --to beginning --dry-run
                  waybill sources rewind moves --to 2026-11-01
                """)

        @OptionGroup var change: SourceChange

        @Option(help: "beginning, or a day (UTC): files last changed before it are left out.")
        var to: String

        func run() throws { try change.carryOut("rewind", to: to) }
    }
}

/// What pause, resume and rewind have in common.
struct SourceChange: ParsableArguments {
    @OptionGroup var control: ControlOptions

    @Argument(help: "The source's name.")
    var name: String

    @Flag(help: "Say what would happen, and leave it.")
    var dryRun = false

    @Flag(help: "Do it without asking.")
    var yes = false

    @Flag(help: "One JSON object.")
    var json = false

    func carryOut(_ verb: String, to: String? = nil) throws {
        _ = try control.sources(named: name)
        let target = "/v1/sources/\(verb)?" + query([("name", name), ("to", to)])
        let plan = try order(target + "&dry_run=1")
        if !dryRun, !yes { try confirm("\(verb) \(name): \(words(plan)).") }
        let done = dryRun ? plan : try order(target)
        if json { return try printJSON(done) }
        printLine("\(dryRun ? "would \(verb)" : "done: \(verb)") \(name): \(words(done))")
    }

    private func words(_ change: SourceChangeDocument) -> String {
        guard let files = change.files, let bytes = change.bytes else { return change.what }
        return "\(change.what): \(bytes) bytes of \(files == 1 ? "one file" : "\(files) files")"
    }

    private func order(_ target: String) throws -> SourceChangeDocument {
        try control.order(
            SourceChangeDocument.self, target, otherwise: "this cannot be done with \(name)",
            "see how it stands: waybill sources \(name)")
    }
}

extension ControlOptions {
    /// Posts an order, or asks; what the agent refuses is said in three lines, with exit 5.
    func order<T: Decodable>(
        _ type: T.Type, _ target: String, method: String = "POST", otherwise what: String, _ remedy: String
    ) throws -> T {
        let lines = try asking { () -> [String] in
            var lines: [String] = []
            try client.each(target, method: method) { lines.append($0) }
            return lines
        }
        let data = Data((lines.first ?? "").utf8)
        if let refusal = try? JSONDecoder().decode(RefusalDocument.self, from: data) {
            printError(what)
            printError("  \(refusal.refused)")
            printError("  \(remedy)")
            throw Exit.noSuchThing
        }
        return try JSONDecoder().decode(T.self, from: data)
    }
}
