import Agent
import ArgumentParser
import FoundationEssentials

extension RejectsCommand {
    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Map rejects again, by the present mapping; what passes is appended now.",
            discussion: """
                Examples:
                  waybill rejects retry 17
                  waybill rejects retry --all --source moves --dry-run
                  waybill rejects retry 17 --bytes corrected.txt
                """)

        @OptionGroup var choice: RejectChoice

        @Option(help: "A file with the corrected record, for one reject: the event keeps the record's identity.")
        var bytes: String?

        func validate() throws {
            if bytes != nil, choice.ids.count != 1 { throw ValidationError("--bytes corrects one reject; name one") }
        }

        private func corrected() throws -> [UInt8] {
            guard let bytes else { return [] }
            guard let data = FileManager.default.contents(atPath: bytes), !data.isEmpty else {
                printError("\(bytes) cannot be read, or is empty")
                throw Exit.noSuchThing
            }
            let line = [UInt8](data)
            return Array(line.last == 0x0A ? line.dropLast() : line[...])
        }

        func run() throws {
            let corrected = try corrected()
            let ids = try choice.chosen().map(\.id)
            try choice.carryOut(ids) { id in
                try choice.control.client.post(
                    OutcomeDocument.self, "/v1/rejects/\(id)/retry\(choice.dryRun ? "?dry_run=1" : "")",
                    content: corrected)
            }
        }
    }

    struct Discard: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove rejects for good: their records never become events.",
            discussion: """
                Examples:
                  waybill rejects discard 17 --yes
                  waybill rejects discard --all --source moves --dry-run
                """)

        @OptionGroup var choice: RejectChoice

        @Flag(help: "Do it without asking.")
        var yes = false

        func run() throws {
            let rejects = try choice.chosen()
            if choice.dryRun || !choice.json {
                for reject in rejects { try choice.show(reject) }
            }
            if choice.dryRun || rejects.isEmpty { return }
            if !yes {
                let site =
                    choice.all ? try asking { try choice.control.client.get(StatusDocument.self, "/v1/status") } : nil
                try confirm("discard \(rejects.count) for good?", answer: site?.site ?? "yes")
            }
            try choice.carryOut(rejects.map(\.id)) { id in
                try choice.control.client.post(OutcomeDocument.self, "/v1/rejects/\(id)/discard")
            }
        }
    }
}

/// Which rejects a repair is about, and how it is told.
struct RejectChoice: ParsableArguments {
    @OptionGroup var control: ControlOptions

    @Argument(help: "The rejects' numbers.")
    var ids: [Int64] = []

    @Flag(help: "All that are open.")
    var all = false

    @Option(help: "With --all: only this source's.")
    var source: String?

    @Flag(help: "Say what would happen, and leave it.")
    var dryRun = false

    @Flag(help: "One JSON object a line.")
    var json = false

    func validate() throws {
        guard all == ids.isEmpty else { throw ValidationError("name rejects by number, or --all") }
        guard all || source == nil else { throw ValidationError("--source wants --all") }
    }

    /// Exit 5 where a number names none.
    func chosen() throws -> [RejectDocument] {
        guard all else {
            return try ids.map { id in
                try asking { try control.client.get(RejectDocument.self, "/v1/rejects/\(id)") }
            }
        }
        var found: [RejectDocument] = []
        while true {
            let members = [("after", "\(found.last?.id ?? 0)"), ("source", source)]
            let lines = try asking { try control.client.lines("/v1/rejects?" + query(members)) }
            if lines.isEmpty { return found }
            found += try lines.map { try JSONDecoder().decode(RejectDocument.self, from: Data($0.utf8)) }
        }
    }

    func show(_ reject: RejectDocument) throws {
        if json { return try printJSON(reject) }
        printLine(visible("\(reject.id): \(reject.code): \(reject.record)"))
    }

    /// One after the other; exit 1 when all were rejected again, 7 when some were. One that somebody else resolved meanwhile
    /// is said and passed over.
    func carryOut(_ ids: [Int64], _ one: (Int64) throws -> OutcomeDocument) throws {
        var failed = 0
        for id in ids {
            do {
                let outcome = try one(id)
                if json { try printJSON(outcome) } else { printLine(visible(words(outcome))) }
                if outcome.outcome == "rejected" { failed += 1 }
            } catch ControlClient.Failure.noSuchThing {
                printError("\(id): resolved by somebody else meanwhile")
            } catch { try asking { throw error } }
        }
        if failed > 0 { throw failed == ids.count ? Exit.failed : Exit.partlyDone }
    }

    private func words(_ outcome: OutcomeDocument) -> String {
        "\(outcome.id): \(outcome.outcome)\(outcome.reason.map { " (\($0))" } ?? "")"
    }
}
