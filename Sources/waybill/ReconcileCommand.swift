import Agent
import ArgumentParser
import Glibc

struct ReconcileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Show where the ledger's stock differs from the WMS's own full export; compare again, or mend it.",
        discussion: """
            A source with checks = "LEDGER" compares each export with the stock as it stood at the export's own time.
            --fix makes what differs what the export says and what moved since, as stock.level events; what is in_flight
            stays. Exit 1 while anything differs.

            Examples:
              waybill reconcile
              waybill reconcile stock --check --csv > drift.csv
              waybill reconcile stock --fix --dry-run
            """)

    @OptionGroup var control: ControlOptions

    @Argument(help: "The source that checks; default: all.")
    var source: String?

    @Flag(help: "Compare the last export once more, first.")
    var check = false

    @Flag(help: "Make what differs what the export says.")
    var fix = false

    @Flag(help: "Say what --check or --fix would do, and leave it.")
    var dryRun = false

    @Flag(help: "Do it without asking.")
    var yes = false

    @Flag(help: "One JSON object a source.")
    var json = false

    @Flag(help: "A CSV table, one line a key and bucket.")
    var csv = false

    private static let patience: Int32 = 60_000
    private static let step: Int32 = 200

    func validate() throws {
        if json, csv { throw ValidationError("choose --json or --csv") }
        if check || fix, source == nil { throw ValidationError("name the source that is to be compared") }
    }

    func run() throws {
        if check || fix, let source {
            let before = try documents().first.map(Self.state)
            guard try order(source) else { return }
            try waitForCheck(of: source, after: before)
        }
        let documents = try documents()
        if documents.isEmpty {
            printError("no source checks another")
            printError("  a full export with checks = \"LEDGER\" in its [[source]] does")
            throw Exit.noSuchThing
        }
        if json { for document in documents { try printJSON(document) } }
        if csv { tellCSV(documents) }
        if !json, !csv { documents.forEach(tell) }
        if documents.contains(where: { $0.drifting > 0 }) { throw Exit.failed }
    }

    private var target: String { "/v1/reconcile?" + query([("name", source)]) }

    private func documents() throws -> [ReconcileDocument] {
        try control.order(
            ReconcileList.self, target, method: "GET", otherwise: "no comparison can be shown",
            "see how it stands: waybill sources"
        ).sources
    }

    /// False after a dry run.
    private func order(_ source: String) throws -> Bool {
        let target = "/v1/reconcile?" + query([("name", source), ("fix", fix ? "1" : nil)])
        func send(_ target: String) throws -> SourceChangeDocument {
            try control.order(
                SourceChangeDocument.self, target, otherwise: "\(source) cannot be compared",
                "see what there is: waybill reconcile")
        }
        let plan = try send(target + "&dry_run=1")
        if dryRun {
            printLine("would: \(visible(plan.what))")
            return false
        }
        if fix, !yes { try confirm("reconcile \(source): \(visible(plan.what)).") }
        _ = try send(target)
        return true
    }

    /// Changes with each comparison, and when there could be none.
    private static func state(_ document: ReconcileDocument) -> [String?] {
        [document.checkedAt, document.notCompared]
    }

    private func waitForCheck(of source: String, after before: [String?]?) throws {
        var waited: Int32 = 0
        // It may not answer while a large export is compared.
        func answer() -> [String?]? {
            (try? control.client.get(ReconcileList.self, target))?.sources.first.map(Self.state)
        }
        while [nil, before].contains(answer()) {
            guard waited < Self.patience else {
                printError("the comparison goes on; see later: waybill reconcile \(source)")
                return
            }
            poll(nil, 0, Self.step)
            waited += Self.step
        }
    }

    // MARK: words

    private func tell(_ document: ReconcileDocument) {
        defer {
            if let reason = document.notCompared { printLine(padded("then", 13) + control.style.bad(visible(reason))) }
        }
        guard let export = document.export, let asOf = document.asOf, let checkedAt = document.checkedAt else {
            return printLine("\(document.source) checks \(document.checks): no export was compared yet")
        }
        printLine(control.style.heading("\(document.source) checks \(document.checks)"))
        printLine(padded("export", 13) + "\(visible(export)), as of \(asOf)")
        printLine(padded("compared", 13) + "\(document.compared) keys, at \(checkedAt)")
        printLine(padded("left", 13) + "\(document.left) touched lately, and the journal does not tell how")
        printLine(padded("baselines", 13) + "\(document.baselines) that the ledger did not know")
        let differing = "\(document.drifting) keys"
        printLine(
            padded("differing", 13)
                + (document.drifting == 0 ? control.style.good(differing) : control.style.bad(differing)))
        for line in document.lines.prefix(50) { printLine("  " + words(line)) }
        if document.lines.count > 50 { printLine("  … \(document.lines.count - 50) more: --csv") }
    }

    private func words(_ line: ReconcileDocument.Line) -> String {
        let place = [line.location, line.lot, line.owner].filter { !$0.isEmpty }.joined(separator: "/")
        return "\(visible(line.sku))\(place.isEmpty ? "" : " " + visible(place)) \(line.bucket): "
            + "ledger \(line.expected), export \(line.actual), \(line.cause), since \(line.since)"
    }

    private func tellCSV(_ documents: [ReconcileDocument]) {
        printLine("source,sku,location,lot,owner,bucket,expected,actual,cause,since")
        for document in documents {
            for line in document.lines {
                let fields = [
                    document.source, line.sku, line.location, line.lot, line.owner, line.bucket, line.expected,
                    line.actual, line.cause, line.since,
                ]
                printLine(fields.map(Self.quoted).joined(separator: ","))
            }
        }
    }

    /// RFC 4180.
    private static func quoted(_ text: String) -> String {
        guard text.contains(where: { ",\"\n\r".contains($0) }) else { return text }
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
