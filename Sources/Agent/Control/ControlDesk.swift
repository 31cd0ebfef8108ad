import CLinux
import Contract
import Delivery
import FoundationEssentials
import Glibc
import Ingest
import Inventory
import Outbox

/// Answers what the control socket is asked; safe from any thread.
final class ControlDesk: Sendable {
    private let current: CurrentConfiguration
    var configuration: Configuration { current.value }
    let outbox: Outbox
    private let report: DeliveryReport
    let board: RepairBoard
    private let startedAt: String

    init(current: CurrentConfiguration, outbox: Outbox, report: DeliveryReport, board: RepairBoard) {
        self.board = board
        self.current = current
        self.outbox = outbox
        self.report = report
        startedAt = Clocks.wall().description
    }

    func status() throws -> StatusDocument {
        let progress = outbox.progress
        let reader = try outbox.reader()
        let reasons = report.healthReasons
        let statuses = Dictionary(
            report.sourceLines(positions: [:], now: Clocks.monotonic()).map { ($0.name, $0.status) },
            uniquingKeysWith: { first, _ in first })
        let sources = try configuration.sources.map {
            StatusDocument.SourceLine(
                name: $0.name, status: statuses[$0.name] ?? "starting", rejects: try reader.openRejects($0.name))
        }
        return StatusDocument(
            version: WaybillVersion.text, tenant: configuration.site.tenant, site: configuration.site.site,
            pid: getpid(), at: Clocks.wall().description, startedAt: startedAt, epoch: progress.epoch.text,
            isConnected: report.isConnected, health: reasons.isEmpty ? "ok" : "degraded", reasons: reasons,
            lanes: Self.lanes(progress), receipts: try receipts(), sources: sources, process: Self.usage())
    }

    func outboxDocument() throws -> OutboxDocument {
        let progress = outbox.progress
        let room: String
        switch try outbox.room() {
        case .open: room = "open"
        case .paused(let reason): room = reason
        }
        let positions = try outbox.sourcePositions().map {
            OutboxDocument.SourceLine(name: $0.source, position: $0.position)
        }
        return OutboxDocument(
            path: outbox.path, instance: outbox.instance, epoch: progress.epoch.text,
            fileBytes: Self.size(outbox.path), walBytes: Self.size(outbox.path + "-wal"),
            limitBytes: outbox.options.limitBytes, room: room, rejects: try outbox.reader().openRejects(nil),
            setAside: outbox.asides, lanes: Self.lanes(progress), sources: positions)
    }

    /// Reads the whole file: not for the thread that answers. Damage is told in the status from then on.
    func verify() throws -> VerifyDocument {
        let path = outbox.path
        let problems: [String]
        do { problems = try outbox.verify() } catch let error as OutboxError where error.code == .setAside {
            problems = ["\(error)"]
        }
        if let first = problems.first { report.damaged("outbox damaged: \(first)") }
        return VerifyDocument(path: path, problems: problems)
    }

    /// At most 1,000.
    func rejects(source: String?, after: Int64) throws -> [RejectDocument] {
        try outbox.reader().rejects(source: source, after: after, limit: 1_000).map(Self.document)
    }

    func reject(_ id: Int64) throws -> RejectDocument? { try outbox.reader().reject(id).map(Self.document) }

    /// Maps the stored bytes again, or the corrected ones where there are some, by the present configuration. Nil: no
    /// such reject.
    func retry(_ id: Int64, corrected: [UInt8] = []) throws -> OutcomeDocument? {
        guard let stored = try outbox.reader().reject(id) else { return nil }
        guard let definition = configuration.sources.first(where: { $0.name == stored.source }) else {
            return OutcomeDocument(
                id: id, outcome: "rejected", events: 0, reason: "no source is named \(stored.source) any more")
        }
        let pipeline = try SourcePipeline(
            definition, site: configuration.site, rules: configuration.inventory,
            checkpoint: outbox.checkpoint(of: stored.source))
        let record = try pipeline.remap(
            corrected.isEmpty ? stored.bytes : corrected, identity: stored.identity, position: stored.position,
            now: Clocks.wall())
        if case .reject(let reason) = record.outcome {
            return OutcomeDocument(id: id, outcome: "rejected", events: 0, reason: "\(reason.code): \(reason.message)")
        }
        let result = try outbox.resolve(id, with: record, now: Clocks.wall())
        let outcome = result.events > 0 ? "posted" : result.rejects > 0 ? "rejected" : "suppressed"
        return OutcomeDocument(id: id, outcome: outcome, events: result.events, reason: nil)
    }

    func discard(_ id: Int64) throws -> OutcomeDocument? {
        try outbox.discard([id]) == 1 ? OutcomeDocument(id: id, outcome: "discarded", events: 0, reason: nil) : nil
    }

    /// Events that were appended after the given heads, at most 200 a lane, one a line; moves the heads on.
    func appended(after heads: inout [Lane: Int64], of epoch: inout Epoch) throws -> [[UInt8]] {
        let progress = outbox.progress
        if progress.epoch != epoch {
            epoch = progress.epoch
            heads = [:]
        }
        let reader = try outbox.reader()
        var lines: [[UInt8]] = []
        for lane in Lane.allCases where progress.lanes[lane].head > heads[lane] ?? 0 {
            let page = try reader.page(lane: lane, after: heads[lane] ?? 0, limit: 200)
            lines += page.map { $0.payload + [0x0A] }
            heads[lane] = page.last?.sequence ?? heads[lane]
        }
        return lines
    }

    /// Where a watch begins.
    func heads() -> (epoch: Epoch, heads: [Lane: Int64]) {
        let progress = outbox.progress
        let heads = Lane.allCases.map { ($0, progress.lanes[$0].head) }
        return (progress.epoch, Dictionary(uniqueKeysWithValues: heads))
    }

    // MARK: parts

    private func receipts() throws -> [StatusDocument.ReceiptLine] {
        try outbox.receipts.map {
            .init(requester: $0.requester, lane: $0.lane.name, sequence: $0.sequence, at: $0.at.description)
        }
    }

    private static func lanes(_ progress: Progress) -> [StatusDocument.LaneLine] {
        Lane.allCases.map { lane in
            let line = progress.lanes[lane]
            return StatusDocument.LaneLine(
                name: lane.name, head: line.head, acked: line.acked, backlog: line.head - line.acked)
        }
    }

    private static func document(_ stored: StoredReject) -> RejectDocument {
        RejectDocument(
            id: stored.id, source: stored.source, at: stored.at.description, position: stored.position,
            code: stored.reason.code, message: stored.reason.message,
            record: String(decoding: stored.bytes, as: UTF8.self))
    }

    static func size(_ path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }

    private static func usage() -> StatusDocument.Usage {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let pages = (FileBytes.text("/proc/self/statm") ?? "").split(separator: " ").dropFirst().first.flatMap {
            Int64($0)
        }
        return StatusDocument.Usage(
            cpuSeconds: usage.cpuSeconds, residentBytes: (pages ?? 0) * Int64(sysconf(Int32(_SC_PAGESIZE))))
    }
}
