import FoundationEssentials
import Hummingbird
import Ingest
import Inventory
import NIOCore
import NIOPosix
import Outbox

/// One check of a ledger against a full export, as `waybill reconcile` shows it.
package struct ReconcileDocument: Codable, Sendable {
    package struct Line: Codable, Sendable {
        package var sku: String
        package var location: String
        package var lot: String
        package var owner: String
        package var bucket: String
        package var expected: String
        package var actual: String
        package var cause: String
        package var since: String

        var key: [String] { [sku, location, lot, owner] }
    }

    package var schema = 1
    package var source: String
    /// The ledger whose stock it checks.
    package var checks: String
    /// Absent before the first check.
    package var export: String?
    package var asOf: String?
    package var checkedAt: String?
    /// Why an export after it was not compared.
    package var notCompared: String?
    package var compared: Int64 = 0
    package var left: Int64 = 0
    package var baselines: Int64 = 0
    package var drifting: Int64 = 0
    package var lines: [Line] = []

    enum CodingKeys: String, CodingKey {
        case schema, source, checks, export, compared, left, baselines, drifting, lines
        case asOf = "as_of"
        case checkedAt = "checked_at"
        case notCompared = "not_compared"
    }
}

extension ControlDesk {
    /// The last check of each source that checks another, or of the named one.
    func reconciliations(_ name: String?) throws -> [ReconcileDocument] {
        try configuration.sources.filter { $0.drop?.full?.checks != nil && (name == nil || $0.name == name) }.map {
            source in
            var document = ReconcileDocument(source: source.name, checks: source.drop?.full?.checks ?? "")
            document.notCompared = try CheckReport.notCompared(of: source.name, in: configuration.outbox.directory)
            guard let report = try CheckReport(of: source.name, in: configuration.outbox.directory) else {
                return document
            }
            document.export = report.export
            document.asOf = report.asOf.description
            document.checkedAt = report.checkedAt.description
            (document.compared, document.left) = (report.compared, report.left)
            (document.baselines, document.drifting) = (report.baselines, report.drifting)
            document.lines = report.lines.flatMap(Self.lines)
            return document
        }
    }

    private static func lines(_ line: CheckReport.Line) -> [ReconcileDocument.Line] {
        line.figures.map { figure in
            .init(
                sku: line.key.sku, location: line.key.location, lot: line.key.lot, owner: line.key.owner,
                bucket: figure.bucket, expected: figure.expected, actual: figure.actual, cause: line.cause,
                since: line.since.description)
        }
    }

    /// Has the last export compared once more.
    func reconcile(_ name: String, isFix: Bool, actor: String, isDryRun: Bool) throws -> SourceChangeDocument? {
        let documents = try reconciliations(name)
        guard let last = documents.first else {
            throw DeskRefusal(words: "\(name) checks no other source: it has no checks = \"…\"")
        }
        guard let export = last.export, let asOf = last.asOf else {
            throw DeskRefusal(words: "\(name) has had no export yet that could be compared")
        }
        if !isDryRun {
            try outbox.reconcile(name, ReconcileRequest(at: Clocks.wall(), isFix: isFix), actor: actor)
            current.reopenSources()
        }
        let flying = Int64(Set(last.lines.filter { $0.cause == "in_flight" }.map(\.key)).count)
        let what =
            isFix
            ? "\(last.drifting - flying) keys become what \(export) says and what moved since"
            : "\(export) is compared again"
        return SourceChangeDocument(name: name, what: "\(what), as of \(asOf)")
    }
}

extension ControlServer {
    static func addReconciliation(to router: Router<ControlContext>, _ desk: ControlDesk) {
        router.get("/v1/reconcile") { request, _ in
            let name = request.uri.queryParameters["name"].map { String($0) }
            return try await refusing {
                let documents = try await NIOThreadPool.singleton.runIfActive { try desk.reconciliations(name) }
                return ReconcileList(sources: documents)
            }
        }
        router.post("/v1/reconcile") { request, context in
            let query = request.uri.queryParameters
            return try await refusing {
                try desk.reconcile(
                    query["name"].map { String($0) } ?? "", isFix: query["fix"] == "1",
                    actor: await context.actor(), isDryRun: query["dry_run"] == "1")
            }
        }
    }
}

/// All reconciliations, in one answer.
package struct ReconcileList: Codable, Sendable {
    package var sources: [ReconcileDocument]
}
