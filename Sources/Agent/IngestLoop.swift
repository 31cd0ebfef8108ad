import Delivery
import Glibc
import Ingest
import Inventory
import Logging
import Outbox

// One thread reads all sources in turn and commits what they give.
//
// A source that is read has moved on in memory; only the commit makes it durable. So when a commit fails, the
// pipelines are made anew from the stored checkpoints and nothing is skipped.

final class IngestLoop {
    struct Limits {
        var bytes = 1 << 20
        /// Commits are at least this far apart while records keep coming; a lonely record goes at once.
        var linger: Int64 = 2
        /// The longest wait between two looks.
        var idle: Int64 = 1_000
        var afterFailure: Int64 = 1_000
    }

    private let configuration: Configuration
    private let outbox: Outbox
    private let report: DeliveryReport
    private let stop: StopFlag
    private let logger: Logger
    private let pulse: Pulse
    private let committed: () -> Void
    private let limits = Limits()
    private var pipelines: [SourcePipeline] = []
    private var statuses: [String: String] = [:]
    private var lastCommit: Int64 = 0

    init(
        configuration: Configuration, outbox: Outbox, report: DeliveryReport, stop: StopFlag, logger: Logger,
        pulse: Pulse, committed: @escaping () -> Void
    ) {
        self.pulse = pulse
        self.configuration = configuration
        self.outbox = outbox
        self.report = report
        self.stop = stop
        self.logger = logger
        self.committed = committed
    }

    func run() {
        while !stop.isSet {
            pulse.beat()
            do {
                if pipelines.isEmpty { try openPipelines() }
                try turn()
            } catch {
                logger.error("capture failed; reading again from the last checkpoint", metadata: ["error": "\(error)"])
                report.paused("capture failed: \(error)")
                pipelines = []
                wait(limits.afterFailure, watching: [])
            }
        }
    }

    private func openPipelines() throws {
        let starts = try outbox.openSources(configuration.sources.map(\.name))
        if let aside = outbox.asides.last {
            report.damaged("the outbox was damaged and is kept as \(aside); a new epoch began")
        }
        pipelines = try configuration.sources.map { definition in
            try SourcePipeline(
                definition, site: configuration.site, rules: configuration.inventory,
                checkpoint: starts[definition.name]?.checkpoint, lostWith: starts[definition.name]?.lostWith)
        }
        report.describe(sources: pipelines.map { .init(name: $0.name, kind: "tail", mapping: $0.mappingVersion) })
    }

    private func turn() throws {
        if case .paused(let reason) = try outbox.room() {
            report.paused(reason)
            return wait(limits.idle, watching: [])
        }
        report.paused(nil)
        let (batches, more) = try read()
        let moment = Clocks.monotonic()
        if !batches.isEmpty {
            try commit(batches)
            lastCommit = Clocks.monotonic()
        }
        if more { return }
        let look = pipelines.map(\.nextLook).min() ?? moment + limits.idle
        wait(max(0, min(look - moment, limits.idle)), watching: pipelines.flatMap(\.watchDescriptors))
        lingerAfterCommit()
    }

    /// Waking right after a commit means a burst: let it share the next fsync.
    private func lingerAfterCommit() {
        let due = lastCommit + limits.linger - Clocks.monotonic()
        if due > 0 { wait(due, watching: []) }
    }

    private func read() throws -> (batches: [CaptureBatch], more: Bool) {
        var batches: [CaptureBatch] = []
        var more = false
        for pipeline in pipelines {
            let result = try pipeline.read(
                maxBytes: limits.bytes, now: Clocks.wall(), monotonic: Clocks.monotonic())
            if let batch = result.batch { batches.append(batch) }
            more = more || result.more
            note(result, of: pipeline.name)
        }
        return (batches, more)
    }

    private func note(_ result: PipelineRead, of source: String) {
        for notice in result.notices {
            logger.warning("source notice", metadata: ["source": "\(source)", "notice": "\(notice)"])
        }
        guard statuses[source] != result.status else { return }
        statuses[source] = result.status
        report.source(source, status: result.status)
        logger.info("source status", metadata: ["source": "\(source)", "status": "\(result.status)"])
    }

    private func commit(_ batches: [CaptureBatch]) throws {
        let result = try outbox.append(batches, now: Clocks.wall())
        if result.rejects > 0 {
            logger.warning("records rejected", metadata: ["count": "\(result.rejects)"])
        }
        if result.events + result.conflicts > 0 { committed() }
    }

    private func wait(_ milliseconds: Int64, watching descriptors: [Int32]) {
        guard milliseconds > 0 else { return }
        var polled = (descriptors + [stop.descriptor]).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        _ = poll(&polled, nfds_t(polled.count), Int32(milliseconds))
    }
}
