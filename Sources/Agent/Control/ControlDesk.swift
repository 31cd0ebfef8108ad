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
    let current: CurrentConfiguration
    var configuration: Configuration { current.value }
    let outbox: Outbox
    let report: DeliveryReport
    let board: RepairBoard
    let pulse: Pulse
    let startedAt = Clocks.wall()

    init(
        current: CurrentConfiguration, outbox: Outbox, report: DeliveryReport, board: RepairBoard, pulse: Pulse
    ) {
        self.board = board
        self.current = current
        self.outbox = outbox
        self.report = report
        self.pulse = pulse
    }

    func outboxDocument() throws -> OutboxDocument {
        let progress = outbox.progress
        let room: String
        switch try outbox.room() {
        case .open: room = "open"
        case .paused(let reason): room = reason
        }
        let reader = try outbox.reader()
        let positions = try outbox.sourcePositions().map {
            OutboxDocument.SourceLine(name: $0.source, position: $0.position)
        }
        return OutboxDocument(
            path: outbox.path, instance: outbox.instance, epoch: progress.epoch.text,
            fileBytes: Self.size(outbox.path), walBytes: Self.size(outbox.path + "-wal"),
            limitBytes: outbox.options.limitBytes, room: room, rejects: try reader.openRejects(nil),
            setAside: outbox.asides, lanes: try Self.lanes(progress, reader),
            sources: positions)
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
    func retry(
        _ id: Int64, corrected: [UInt8] = [], actor: String, isDryRun: Bool = false
    ) throws -> OutcomeDocument? {
        guard let stored = try outbox.reader().reject(id) else { return nil }
        guard let definition = configuration.sources.first(where: { $0.name == stored.source }) else {
            return OutcomeDocument(
                id: id, outcome: "rejected", events: 0, reason: "no source is named \(stored.source) any more")
        }
        if definition.drop?.full != nil {
            let reason = "a row of a full export speaks of its own time alone: mend it in the WMS, discard this"
            return OutcomeDocument(id: id, outcome: "rejected", events: 0, reason: reason)
        }
        let reader = try definition.reader(
            site: configuration.site, rules: configuration.inventory,
            beginning: SourceBeginning(checkpoint: outbox.checkpoint(of: stored.source)))
        let record = try reader.remap(
            corrected.isEmpty ? stored.bytes : corrected, identity: stored.identity, position: stored.position,
            now: Clocks.wall())
        if case .reject(let reason) = record.outcome {
            return OutcomeDocument(id: id, outcome: "rejected", events: 0, reason: "\(reason.code): \(reason.message)")
        }
        if isDryRun { return OutcomeDocument(id: id, outcome: "would be posted", events: 0, reason: nil) }
        let how = corrected.isEmpty ? "retry" : "retry, corrected"
        let result: AppendResult
        do {
            result = try outbox.resolve(
                id, with: record, now: Clocks.wall(), audit: Self.audit(how, stored, outcome: "appended", actor: actor))
        } catch let error as OutboxError where error.code == .stillRejected {
            return OutcomeDocument(id: id, outcome: "rejected", events: 0, reason: error.message)
        }
        noteResolved(stored)
        let outcome = result.events > 0 ? "posted" : result.rejects > 0 ? "rejected" : "suppressed"
        return OutcomeDocument(id: id, outcome: outcome, events: result.events, reason: nil)
    }

    func discard(_ id: Int64, actor: String) throws -> OutcomeDocument? {
        guard let stored = try outbox.reader().reject(id) else { return nil }
        let audit = Self.audit("discard", stored, outcome: "removed for good", actor: actor)
        guard try outbox.discard([id], audit: audit) == 1 else { return nil }
        noteResolved(stored)
        return OutcomeDocument(id: id, outcome: "discarded", events: 0, reason: nil)
    }

    private static func audit(_ action: String, _ reject: StoredReject, outcome: String, actor: String) -> AuditEntry {
        AuditEntry(
            at: Clocks.wall(), actor: actor, action: action,
            subject: "reject \(reject.id) of \(reject.source) at \(reject.position)", outcome: outcome)
    }

    private func noteResolved(_ reject: StoredReject) {
        report.figures.resolved(after: Clocks.wall().milliseconds - reject.at.milliseconds)
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

    /// Events of a lane as they are stored, at most `limit` (512) from a moment on or else the newest, one a line with its
    /// place and whether the broker has it.
    func events(of lane: Lane, since moment: Timestamp?, limit: Int64) throws -> [UInt8] {
        let line = outbox.progress.lanes[lane]
        let reader = try outbox.reader()
        let first = try moment.map { try reader.firstSequence(of: lane, capturedSince: $0) }
        let page = try reader.page(lane: lane, after: max(0, first.map { $0 - 1 } ?? line.head - limit), limit: limit)
        return page.reduce(into: []) { bytes, event in
            let isAcked = event.sequence <= line.acked
            let place = "{\"schema\":1,\"lane\":\"\(lane.name)\",\"sequence\":\(event.sequence),\"acked\":\(isAcked)"
            bytes += [UInt8](place.utf8) + [UInt8](",\"event\":".utf8) + event.payload + [UInt8]("}\n".utf8)
        }
    }

    /// Where a watch begins.
    func heads() -> (epoch: Epoch, heads: [Lane: Int64]) {
        let progress = outbox.progress
        let heads = Lane.allCases.map { ($0, progress.lanes[$0].head) }
        return (progress.epoch, Dictionary(uniqueKeysWithValues: heads))
    }

    // MARK: parts

    static func document(_ stored: StoredReject) -> RejectDocument {
        RejectDocument(
            id: stored.id, source: stored.source, at: stored.at.description, position: stored.position,
            code: stored.reason.code, message: stored.reason.message,
            record: String(decoding: stored.bytes, as: UTF8.self))
    }

    static func size(_ path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }
}
