import CLinux
import Contract
import Delivery
import Glibc
import Ingest
import Inventory
import Outbox

// How the agent is, in whole.

extension ControlDesk {
    private static let day: Int64 = 86_400_000
    private static let capturePulse: Int64 = 60_000
    static let mostDone: Int64 = 50

    /// What needs attention; capture that does not turn any more among it.
    func reasons(at now: Timestamp) -> [HealthReason] {
        let silent = Clocks.monotonic() - pulse.last
        guard silent > Self.capturePulse else { return report.reasons }
        return report.reasons + [
            HealthReason(
                kind: .capture, words: "capture has not turned for \(silent / 1_000) s",
                since: Timestamp(milliseconds: now.milliseconds - silent))
        ]
    }

    func status() throws -> StatusDocument { try status(outbox.reader()) }

    func status(_ reader: OutboxReader) throws -> StatusDocument {
        let (progress, now) = (outbox.progress, Clocks.wall())
        let reasons = reasons(at: now)
        let details = reasons.map(Self.line)
        let connection = report.connection
        let sources = try configuration.sources.map { try sourceLine($0.name, reader) }
        let since = Timestamp(milliseconds: now.milliseconds - Self.day)
        let done = Self.done(try reader.audit(since: since, limit: Self.mostDone))
        return StatusDocument(
            version: WaybillVersion.text, tenant: configuration.site.tenant, site: configuration.site.site,
            pid: getpid(), at: now.description, startedAt: startedAt.description, epoch: progress.epoch.text,
            isConnected: connection.isLive, connectionSince: connection.since?.description,
            health: reasons.isEmpty ? "ok" : "degraded", reasons: reasons.map(\.words), details: details,
            lanes: try Self.lanes(progress, reader), receipts: receipts(progress), sources: sources, done: done,
            next: NextCommand.after(details, sources: sources), process: Self.usage())
    }

    /// Without the beginnings of what ended since.
    private static func done(_ entries: [AuditEntry]) -> [AuditDocument] {
        func what(_ entry: AuditEntry) -> [String] { [entry.actor, entry.action, entry.subject] }
        var ended: Set<[String]> = []
        return entries.filter { entry in
            if entry.outcome == "accepted" { return ended.remove(what(entry)) == nil }
            ended.insert(what(entry))
            return true
        }.map(document)
    }

    private static func line(_ reason: HealthReason) -> StatusDocument.ReasonLine {
        StatusDocument.ReasonLine(
            kind: reason.kind.rawValue, subject: reason.subject.isEmpty ? nil : reason.subject, words: reason.words,
            since: reason.since.description, next: NextCommand.after(reason))
    }

    private func sourceLine(_ name: String, _ reader: OutboxReader) throws -> StatusDocument.SourceLine {
        let progress = report.progress(of: name)
        return StatusDocument.SourceLine(
            name: name, status: progress?.status ?? "starting", rejects: try reader.openRejects(name),
            lastRecordAt: progress?.lastRecord?.description)
    }

    private func receipts(_ progress: Progress) -> [StatusDocument.ReceiptLine] {
        let receipts = (try? outbox.receipts) ?? []
        return receipts.map { receipt in
            let isPresent = receipt.epoch == progress.epoch
            return .init(
                requester: receipt.requester, lane: receipt.lane.name, sequence: receipt.sequence,
                at: receipt.at.description,
                behind: isPresent ? max(0, progress.lanes[receipt.lane].acked - receipt.sequence) : nil)
        }
    }

    static func lanes(_ progress: Progress, _ reader: OutboxReader) throws -> [StatusDocument.LaneLine] {
        try Lane.allCases.map { lane in
            let line = progress.lanes[lane]
            let backlog = line.head - line.acked
            let oldest = backlog == 0 ? nil : try reader.backlog(of: lane, after: line.acked).capturedAt
            return StatusDocument.LaneLine(
                name: lane.name, head: line.head, acked: line.acked, backlog: backlog,
                oldestUnackedAt: oldest?.description)
        }
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
