import Contract
import Delivery
import Ingest
import Inventory
import Outbox

// What technicians see of sources and decide about them.

extension ControlDesk {
    /// All sources of the configuration, or the named one; empty: there is none of that name.
    func sources(named name: String?) throws -> [SourceDocument] { try sources(named: name, outbox.reader()) }

    func sources(named name: String?, _ reader: OutboxReader) throws -> [SourceDocument] {
        let kinds = Dictionary(report.metaSources.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        return try configuration.sources.filter { name == nil || $0.name == name }.map { source in
            let progress = report.progress(of: source.name) ?? SourceProgress()
            let pause = try reader.sourcePause(source.name)
            return SourceDocument(
                name: source.name, kind: source.kind, path: source.path,
                status: progress.status ?? "starting",
                hold: progress.hold?.reason, pause: pause.map { .init(by: $0.actor, since: $0.at.description) },
                mapping: kinds[source.name]?.mapping, position: try reader.checkpoint(of: source.name)?.position,
                lastRecord: progress.lastPosition, lastRecordAt: progress.lastRecord?.description,
                lag: progress.behindSince.map { max(0, Clocks.monotonic() - $0) } ?? 0, events: progress.counts.events,
                ignored: progress.counts.ignored, rejected: progress.counts.rejected,
                rejects: try reader.openRejects(source.name), canRewind: source.mapping.givesIdentities)
        }
    }

    /// What became of a drop directory's files, the latest first. Nil: there is no source of that name.
    func files(
        of name: String, holding text: String, besidesRead: Bool, limit: Int
    ) throws -> [SourceFileDocument]? {
        guard let source = source(name) else { return nil }
        guard source.drop != nil else {
            throw DeskRefusal(words: "\(name) reads no drop directory; its records are in waybill sources and why")
        }
        let lines = try FileLedger.last(
            min(max(1, limit), FileLedger.mostLines), of: name, in: configuration.outbox.directory, holding: text,
            besidesRead: besidesRead)
        return (lines ?? []).map { line in
            SourceFileDocument(
                source: name, name: line.name, outcome: line.outcome, reason: line.reason.isEmpty ? nil : line.reason,
                at: line.at.description)
        }
    }

    func pauseSource(_ name: String, actor: String, isDryRun: Bool) throws -> SourceChangeDocument? {
        guard let source = source(name) else { return nil }
        if let pause = try outbox.reader().sourcePause(name) {
            throw DeskRefusal(words: "\(name) is paused already, by \(pause.actor) at \(pause.at)")
        }
        if !isDryRun {
            try outbox.pauseSource(name, actor: actor, now: Clocks.wall())
            current.reopenSources()
        }
        return SourceChangeDocument(name: name, what: "\(source.path) is not read until somebody resumes it")
    }

    func resumeSource(_ name: String, actor: String, isDryRun: Bool) throws -> SourceChangeDocument? {
        guard let source = source(name) else { return nil }
        guard try outbox.reader().sourcePause(name) != nil else { throw DeskRefusal(words: "\(name) is not paused") }
        if !isDryRun {
            _ = try outbox.resumeSource(name, actor: actor, now: Clocks.wall())
            current.reopenSources()
        }
        return SourceChangeDocument(name: name, what: "\(source.path) is read on from where it stood")
    }

    /// Lets what the source holds be read, or refuses it.
    func decideHold(
        _ name: String, isAccepted: Bool, actor: String, isDryRun: Bool
    ) throws -> SourceChangeDocument? {
        guard source(name) != nil else { return nil }
        guard let hold = report.progress(of: name)?.hold else { throw DeskRefusal(words: "\(name) holds nothing") }
        if !isDryRun {
            let decision = HoldDecision(id: hold.id, isAccepted: isAccepted)
            try outbox.decideHold(name, decision, actor: actor, now: Clocks.wall())
            current.reopenSources()
        }
        let file = hold.id.prefix { $0 != "|" }
        let what = isAccepted ? "\(file) is read as it is" : "\(file) is refused; the stock stays as it was"
        return SourceChangeDocument(name: name, what: "\(what) (\(hold.reason))")
    }

    /// `to`: `beginning`, or a day.
    func rewindSource(_ name: String, to text: String, actor: String, isDryRun: Bool) throws -> SourceChangeDocument? {
        guard let source = source(name) else { return nil }
        if source.drop?.full != nil {
            throw DeskRefusal(
                words: "\(name) reads full exports: the next one says what is; nothing is to be read again")
        }
        guard source.mapping.givesIdentities else {
            throw DeskRefusal(
                words: "\(name) has a rule without an id: reading it again would give second events; use waybill replay"
            )
        }
        let moment = text == "beginning" ? Timestamp(milliseconds: 0) : Timestamp(rfc3339: "\(text)T00:00:00Z")
        guard let moment else {
            throw DeskRefusal(words: "\"\(text)\" is neither beginning nor a day such as 2026-11-01")
        }
        guard try outbox.checkpoint(of: name) != nil else {
            throw DeskRefusal(words: "nothing of \(name) was read yet: it begins anyway")
        }
        let words = text == "beginning" ? "the oldest line that is there" : "the files changed since \(text)"
        let extent = FirstStart(source.beginning(at: moment))
        if !isDryRun {
            try outbox.rewindSource(name, to: moment, words: words, actor: actor, now: Clocks.wall())
            current.reopenSources()
        }
        return SourceChangeDocument(
            name: name, what: "\(source.path) is read again from \(words)", files: extent?.files ?? 0,
            bytes: extent?.bytes ?? 0)
    }

    private func source(_ name: String) -> SourceDefinition? { configuration.sources.first { $0.name == name } }
}

extension MappingDefinition {
    /// Every record that becomes an event has an id of its own, and a time.
    fileprivate var givesIdentities: Bool {
        rules.allSatisfy { $0.expressions[.id] != nil && $0.expressions[.occurredAt] != nil }
    }
}
