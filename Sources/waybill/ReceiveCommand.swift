import Agent
import ArgumentParser
import FoundationEssentials
import Glibc
import Inventory
import Receiver

struct ReceiveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receive", abstract: "Follow sites as a consumer: events once and in order, and their stock.",
        discussion: """
            Examples:
              waybill receive --broker mqtts://mq1:8883 --tenant acme --db acme.sqlite --as ingest --json
              waybill receive stock --db acme.sqlite --sku 1001
            """,
        subcommands: [Follow.self, Stock.self, Gaps.self, Sites.self], defaultSubcommand: Follow.self)

    struct Follow: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Follow one site, a tenant or some of its shards.",
            discussion: """
                Offsets, stock and kept events share one SQLite file and one transaction. What did not arrive is asked
                for again; what differs from the agent's stock is found by hash and mended. An event is printed after
                the commit: after a kill at most one batch is printed twice, and none is left out.

                Examples:
                  waybill receive --broker mqtts://mq1:8883 --tenant acme --db acme.sqlite --as ingest --json
                  waybill receive --broker mqtt://127.0.0.1 --tenant acme --site dc-1 --db dc1.sqlite --as ops --verify
                """)

        @Option(help: ArgumentHelp("The broker: mqtt://host[:1883] or mqtts://host[:8883].", valueName: "url"))
        var broker: String

        @Option(help: "The tenant to follow.")
        var tenant: String

        @Option(help: "Only this site.")
        var site: String?

        @Option(help: ArgumentHelp("Only sites of these shards, such as 00-3f.", valueName: "range"))
        var shards: String?

        @Option(help: ArgumentHelp("The consumer's own file; one receiver a file.", valueName: "file"))
        var db: String

        @Option(help: ArgumentHelp("The name that the agents know; one name is one consumer.", valueName: "requester"))
        var `as`: String

        @Option(help: "The user at the broker.")
        var username: String?

        @Option(help: ArgumentHelp("A file with the password.", valueName: "file"))
        var passwordFile: String?

        @Option(help: ArgumentHelp("Certificates that vouch for the broker's.", valueName: "file"))
        var caFile: String?

        @Option(help: ArgumentHelp("This client's certificate.", valueName: "file"))
        var certFile: String?

        @Option(help: ArgumentHelp("Its key.", valueName: "file"))
        var keyFile: String?

        @Option(
            help: ArgumentHelp("An Ed25519 private key (PEM), for agents that want signed commands.", valueName: "file")
        )
        var signKey: String?

        @Option(help: ArgumentHelp("Keep events so long in the file, such as 7d.", valueName: "duration"))
        var keepEvents: String?

        @Option(help: ArgumentHelp("When receipts are sent.", valueName: "every=N,max=T"))
        var receipts = "every=1000,max=5s"

        @Flag(help: "Each event as one line of JSON, as the agent sent it.")
        var json = false

        @Flag(help: "Catch up, compare all stock with the agents' by hash, mend what differs, and end: 1 on drift.")
        var verify = false

        func validate() throws {
            if site != nil, shards != nil { throw ValidationError("--site and --shards exclude each other") }
            if keepEvents.map({ milliseconds(ofDuration: $0) == nil }) ?? false {
                throw ValidationError("--keep-events wants a duration such as 7d")
            }
            if receiptRule == nil { throw ValidationError("--receipts wants the form every=1000,max=5s") }
        }

        private var receiptRule: (every: Int64, max: Int64)? {
            let parts = receipts.split(separator: ",")
            guard parts.count == 2, parts[0].hasPrefix("every="), parts[1].hasPrefix("max="),
                let every = Int64(parts[0].dropFirst(6)), every > 0,
                let most = milliseconds(ofDuration: String(parts[1].dropFirst(4)))
            else { return nil }
            return (every, most)
        }

        private func options() throws -> ReceiverOptions {
            var words = ReceiverWords()
            (words.broker, words.tenant, words.site, words.shards) = (broker, tenant, site, shards)
            (words.path, words.requester, words.username, words.passwordFile) = (db, `as`, username, passwordFile)
            (words.caFile, words.certificateFile, words.keyFile, words.signingKeyFile) =
                (caFile, certFile, keyFile, signKey)
            var options = try words.options(programVersion: WaybillVersion.text)
            options.keepEvents = keepEvents.flatMap { milliseconds(ofDuration: $0) }
            if let rule = receiptRule { (options.receiptsEvery, options.receiptsMax) = rule }
            options.notice = { printError($0) }
            let asJSON = json
            if !verify {
                options.output = { payload in
                    let line = String(decoding: payload, as: UTF8.self)
                    return printTaken(asJSON ? line : WatchCommand.row(line))
                }
            }
            return options
        }

        func run() throws {
            let interruption = Interruption()
            let receiver = try receiving { try Receiver(try options()) }
            receiver.start()
            defer { receiver.stop() }
            let outcome =
                verify ? VerifyRun(receiver, interruption, asJSON: json).run() : waitForEnd(receiver, interruption)
            receiver.stop()
            if let failure = receiver.snapshot.failure {
                printError("the receiver stopped")
                printError("  \(failure)")
                printError(
                    "  what was not committed or printed comes at the next start; check the disk, and who reads stdout")
                throw Exit.failed
            }
            if let outcome { throw outcome }
        }

        private func waitForEnd(_ receiver: Receiver, _ interruption: Interruption) -> ExitCode? {
            while receiver.snapshot.failure == nil {
                if interruption.wait(milliseconds: 500) { return nil }
            }
            return Exit.failed
        }
    }
}

/// What stands in the way of a receiver is said in three lines.
func receiving<T>(_ body: () throws -> T) throws -> T {
    do { return try body() } catch let error as ReceiverError {
        printError("the receiver cannot start")
        printError("  \(error.message)")
        printError("  \(error.hint)")
        throw Exit.configuration
    } catch {
        printError("the receiver's file cannot be used")
        printError("  \(error)")
        printError("  name another --db, or mend what the line above says")
        throw Exit.configuration
    }
}

/// `--verify`: catch up, walk down the trees, tell.
private struct VerifyRun {
    private let receiver: Receiver
    private let interruption: Interruption
    private let asJSON: Bool
    private static let patience: Int64 = 60_000

    init(_ receiver: Receiver, _ interruption: Interruption, asJSON: Bool) {
        self.receiver = receiver
        self.interruption = interruption
        self.asJSON = asJSON
    }

    private struct Document: Encodable {
        var schema = 1
        var site: String
        var outcome: String
        var root: String
        var keys: [String]
    }

    func run() -> ExitCode? {
        let deadline = Clocks.monotonic() + Self.patience
        guard wait(deadline, { $0.isLevel && $0.isSettled }) else { return missing("did not send all that they have") }
        let before = Dictionary(
            uniqueKeysWithValues: receiver.snapshot.standings.map { ($0.site, $0.descentsEnded) })
        receiver.descend()
        guard wait(deadline, { $0.descentsEnded > before[$0.site] ?? 0 }) else { return missing("did not answer") }
        if receiver.snapshot.standings.contains(where: { $0.suspects > 0 }) {
            // What only one side has may be an event on its way: a second walk tells.
            let first = Dictionary(
                uniqueKeysWithValues: receiver.snapshot.standings.map { ($0.site, $0.descentsEnded) })
            receiver.descend()
            guard wait(deadline, { $0.descentsEnded > first[$0.site] ?? 0 }) else { return missing("did not answer") }
        }
        let found = receiver.snapshot.standings
        // What was found is mended before the end.
        let isMended = wait(Clocks.monotonic() + Self.patience) { $0.isSettled }
        for standing in found {
            let keys = standing.drift.map { "\($0.sku) \($0.location)" }
            let isEqual = keys.isEmpty && !standing.isWidelyApart
            let outcome = isEqual ? "equal" : isMended ? "drift, mended" : "drift"
            if asJSON {
                try? printJSON(Document(site: standing.site, outcome: outcome, root: standing.root, keys: keys))
            } else {
                printLine("\(standing.site): \(outcome)")
                for key in keys { printLine("  \(key)") }
            }
        }
        return found.allSatisfy { $0.drift.isEmpty && !$0.isWidelyApart } ? nil : Exit.failed
    }

    private func wait(_ deadline: Int64, _ condition: (ReceiverCore.Standing) -> Bool) -> Bool {
        while Clocks.monotonic() < deadline {
            let standings = receiver.snapshot.standings
            if !standings.isEmpty, standings.allSatisfy(condition) { return true }
            if interruption.wait(milliseconds: 100) || receiver.snapshot.failure != nil { return false }
        }
        return false
    }

    private func missing(_ what: String) -> ExitCode {
        let late = receiver.snapshot.standings.filter { !$0.isLevel || !$0.isSettled }.map(\.site)
        printError("not verified")
        printError("  \(late.isEmpty ? "the sites" : late.joined(separator: ", ")) \(what) within 60 s")
        printError("  is the agent connected, and is this requester among its [commands] requesters?")
        return Exit.partlyDone
    }
}
