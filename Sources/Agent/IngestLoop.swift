import Contract
import Delivery
import Glibc
import Ingest
import Inventory
import Logging
import Outbox

// One thread reads all sources in turn and commits what they give. While more is there to be read, the commit runs on a
// second thread and the next batches are read and mapped meanwhile; a lonely record is committed at once.
//
// A source that is read has moved on in memory; only the commit makes it durable. So when a commit fails, all sources
// are opened anew at the stored checkpoints and nothing is skipped. The same happens with a reloaded configuration.

final class IngestLoop {
    struct Limits {
        var bytes = 1 << 20
        /// Commits are at least this far apart while records keep coming; a lonely record goes at once.
        var linger: Int64 = 2
        /// The longest wait between two looks.
        var idle: Int64 = 1_000
        var afterFailure: Int64 = 1_000
    }

    private let current: CurrentConfiguration
    private var generation = 0
    private let outbox: Outbox
    private let report: DeliveryReport
    private let stop: StopFlag
    private let logger: Logger
    private let pulse: Pulse
    private let committed: () -> Void
    private let limits = Limits()
    private let committer: Committer
    /// Until the outbox was asked for the first time: a full one is not added to by starting.
    private var isPaused = true
    private var sources: [SourceRun] = []
    private var described: [String] = []
    private var statuses: [String: String] = [:]
    private var behind: [String: Int64] = [:]
    private var lastCommit: Int64 = 0
    /// What is on its way into the outbox, by source.
    private var underWay: [CaptureBatch.Summary] = []
    private var checkpoints: [String: Checkpoint] = [:]
    /// When sources had been read to their ends; not told before what was read is durable.
    private var drained: [String: Timestamp] = [:]
    private var told: [String: Timestamp] = [:]
    private var lastAside: String?

    init(
        current: CurrentConfiguration, outbox: Outbox, report: DeliveryReport, stop: StopFlag, logger: Logger,
        pulse: Pulse, committed: @escaping () -> Void
    ) {
        self.pulse = pulse
        self.current = current
        self.outbox = outbox
        self.report = report
        self.stop = stop
        self.logger = logger
        self.committed = committed
        committer = Committer(outbox)
    }

    func run() {
        let thread = OwnedThread(name: "waybill-commit") { [committer] in committer.run() }
        defer {
            // What was read is committed; what failed is read again at the next start.
            _ = try? committer.finish()
            committer.end()
            thread.join()
        }
        while !stop.isSet {
            pulse.beat()
            do {
                if current.numbered.generation != generation {
                    try finishCommit()
                    sources = []
                }
                if sources.isEmpty { try openSources() }
                try turn()
            } catch let error as OutboxError where error.code == .reopen {
                // What is on its way counts no more, whatever became of it.
                _ = try? committer.finish()
                sources = []
            } catch {
                logger.error("capture failed; reading again from the last checkpoint", metadata: ["error": "\(error)"])
                report.paused("capture failed: \(error)")
                _ = try? committer.finish()
                sources = []
                wait(limits.afterFailure, watching: [])
            }
        }
    }

    private func openSources() throws {
        let configuration: Configuration
        (configuration, generation) = current.numbered
        underWay = []
        checkpoints = [:]
        drained = [:]
        let starts = try outbox.openSources(configuration.sources.map(\.name))
        if let aside = outbox.asides.last {
            report.damaged("the outbox was damaged and is kept as \(aside); a new epoch began")
            // What the file held is not durable any more.
            if aside != lastAside {
                for source in configuration.sources { report.source(source.name, caughtUpAt: nil) }
            }
            lastAside = aside
        }
        sources = configuration.sources.map {
            SourceRun($0, configuration: configuration, start: starts[$0.name], outbox: outbox, report: report)
        }
        for gone in statuses.keys where !sources.contains(where: { $0.name == gone }) {
            statuses[gone] = nil
            report.forget(source: gone)
        }
        try countRejects()
    }

    private func countRejects() throws {
        let reader = try outbox.reader()
        for source in sources { source.note(openRejects: try reader.openRejects(source.name)) }
    }

    /// A lookup table that was read again is another mapping: consumers are told.
    private func describeSources() {
        let mappings = sources.map { "\($0.name) \($0.mapping)" }
        guard mappings != described else { return }
        described = mappings
        report.describe(sources: sources.map { .init(name: $0.name, kind: $0.definition.kind, mapping: $0.mapping) })
    }

    private func turn() throws {
        if isPaused, try !hasRoom() { return wait(limits.idle, watching: []) }
        let (batches, more, ends) = try read()
        try finishCommit()
        drained = ends
        isPaused = try !hasRoom()
        let moment = Clocks.monotonic()
        if !batches.isEmpty {
            begin(batches)
            if !more || isPaused { try finishCommit() }
            lastCommit = Clocks.monotonic()
        }
        if batches.isEmpty { tellDrained() }
        if more || isPaused { return }
        let look = sources.map(\.nextLook).min() ?? moment + limits.idle
        wait(max(0, min(look - moment, limits.idle)), watching: sources.flatMap(\.watchDescriptors))
        lingerAfterCommit()
    }

    private func hasRoom() throws -> Bool {
        guard case .paused(let reason) = try outbox.room() else {
            report.paused(nil)
            return true
        }
        report.paused(reason)
        return false
    }

    /// Waking right after a commit means a burst: let it share the next fsync.
    private func lingerAfterCommit() {
        let due = lastCommit + limits.linger - Clocks.monotonic()
        if due > 0 { wait(due, watching: []) }
    }

    private func read() throws -> (batches: [CaptureBatch], more: Bool, ends: [String: Timestamp]) {
        var batches: [CaptureBatch] = []
        var more = false
        var ends: [String: Timestamp] = [:]
        for source in sources {
            let now = Clocks.wall()
            let result = try source.read(maxBytes: limits.bytes, now: now, monotonic: Clocks.monotonic())
            if result.isAtEnd { ends[source.name] = now }
            if let batch = result.batch { batches.append(batch) }
            more = more || result.more
            note(isBehind: result.more, source.name)
            note(result, of: source.name)
        }
        describeSources()
        return (batches, more, ends)
    }

    /// What was read up to these moments is durable. Told at most once a second: nobody asks for more.
    private func tellDrained() {
        for (source, moment) in drained {
            let passed = moment.milliseconds - (told[source]?.milliseconds ?? 0)
            if (0..<1_000).contains(passed) { continue }
            told[source] = moment
            report.source(source, caughtUpAt: moment)
        }
        drained = [:]
    }

    private func note(isBehind: Bool, _ source: String) {
        guard isBehind != (behind[source] != nil) else { return }
        behind[source] = isBehind ? Clocks.monotonic() : nil
        report.source(source, behindSince: behind[source])
    }

    private func note(_ result: PipelineRead, of source: String) {
        for notice in result.notices {
            logger.warning("source notice", metadata: ["source": "\(source)", "notice": "\(notice)"])
        }
        report.source(source, holds: result.hold)
        guard statuses[source] != result.status else { return }
        statuses[source] = result.status
        report.source(source, status: result.status)
        logger.info("source status", metadata: ["source": "\(source)", "status": "\(result.status)"])
    }

    private func begin(_ batches: [CaptureBatch]) {
        underWay = batches.compactMap(\.summary)
        for batch in batches { checkpoints[batch.source] = batch.checkpoint }
        committer.begin(batches)
    }

    private func finishCommit() throws {
        guard let result = try committer.finish() else { return }
        for part in underWay { report.source(part.source, gave: part.counts, upTo: part.position) }
        underWay = []
        for source in sources { checkpoints[source.name].map { source.committed($0) } }
        checkpoints = [:]
        tellDrained()
        if result.rejects > 0 {
            logger.warning("records rejected", metadata: ["count": "\(result.rejects)"])
            try countRejects()
        }
        if result.events + result.conflicts > 0 { committed() }
    }

    private func wait(_ milliseconds: Int64, watching descriptors: [Int32]) {
        guard milliseconds > 0 else { return }
        var polled = (descriptors + [stop.descriptor]).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        _ = poll(&polled, nfds_t(polled.count), Int32(milliseconds))
    }
}

extension CaptureBatch {
    fileprivate struct Summary {
        var source: String
        var counts = SourceCounts()
        var position: String
    }

    /// Nil without records.
    fileprivate var summary: Summary? {
        guard let last = records.last else { return nil }
        var summary = Summary(source: source, position: last.position.description)
        for record in records {
            switch record.outcome {
            case .events: summary.counts.events += 1
            case .ignored: summary.counts.ignored += 1
            case .reject: summary.counts.rejected += 1
            }
        }
        return summary
    }
}
