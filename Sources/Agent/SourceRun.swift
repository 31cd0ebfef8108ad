import Delivery
import Glibc
import Ingest
import Inventory
import Outbox

/// One source while the agent runs: its reader, or why there is none just now. What goes wrong with it holds it alone.
final class SourceRun {
    let definition: SourceDefinition
    private let site: SiteIdentity
    private let rules: InventoryRules
    private let outbox: Outbox
    private let report: DeliveryReport
    private var reader: (any SourceReader)?
    private var hold = SourceHold()
    private var rhythm: SourceRhythm
    private var mappingVersion = ""
    private var retryAt: Int64 = 0
    private var trouble: String?
    private var pause: SourcePause?

    /// A source that cannot be read is tried again so often, in milliseconds.
    private static let retryInterval: Int64 = 5_000

    init(
        _ definition: SourceDefinition, configuration: Configuration, start: SourceStart?, outbox: Outbox,
        report: DeliveryReport
    ) {
        self.definition = definition
        site = configuration.site
        rules = configuration.inventory
        self.outbox = outbox
        self.report = report
        rhythm = SourceRhythm(expected: definition.expectEvery, monotonic: Clocks.monotonic())
        open(start)
    }

    var name: String { definition.name }
    var mapping: String { reader?.mappingVersion ?? mappingVersion }
    var watchDescriptors: [Int32] { reader?.watchDescriptors ?? [] }

    /// Monotonic milliseconds of the next look.
    var nextLook: Int64 { hold.reason == nil && pause == nil ? reader?.nextLook ?? retryAt : .max }

    private func open(_ start: SourceStart?) {
        pause = start?.pause
        if pause != nil { return reader = nil }
        do {
            var beginning = SourceBeginning(
                checkpoint: start?.checkpoint, lostWith: start?.rewind == nil ? start?.lostWith : nil,
                decision: start?.decision, reconcile: start?.reconcile, stock: { [outbox] in try outbox.reader() })
            if let ledger = definition.drop?.full?.checks {
                beginning.ledger = { [report] in
                    report.progress(of: ledger)?.caughtUp.map { LedgerReach(since: $0.since, at: $0.at) }
                }
            }
            reader = try definition.beginning(at: start?.rewind).reader(site: site, rules: rules, beginning: beginning)
            trouble = nil
        } catch { trouble = "held: \(error)" }
    }

    /// What the source gives now. Throws what concerns the outbox.
    func read(maxBytes: Int, now: Timestamp, monotonic: Int64) throws -> PipelineRead {
        if let pause { return .waiting("paused by \(pause.actor) at \(pause.at)") }
        if reader == nil, monotonic >= retryAt { open(try outbox.reopenSource(name)) }
        guard let reader else {
            if monotonic >= retryAt { retryAt = monotonic + Self.retryInterval }
            return .waiting(trouble ?? "held")
        }
        if let reason = hold.reason { return .waiting(reason) }
        do {
            let read = try reader.read(maxBytes: maxBytes, now: now, monotonic: monotonic)
            let result = rhythm.judge(read, monotonic: monotonic)
            if reader.mappingVersion != mappingVersion {
                mappingVersion = reader.mappingVersion
                hold.forgive()
            }
            if let batch = result.batch { hold.note(batch.records) }
            return result
        } catch let error as IngestError {
            // It moved on in memory; the checkpoint says where it stands.
            self.reader = nil
            retryAt = monotonic + Self.retryInterval
            trouble = "held: \(error)"
            return .waiting("held: \(error)")
        }
    }

    /// What this checkpoint covers is durable.
    func committed(_ checkpoint: Checkpoint) { reader?.committed(checkpoint) }

    func note(openRejects: Int64) { hold.note(openRejects: openRejects) }
}

extension SourceDefinition {
    /// The same, begun where a technician wants it read again.
    func beginning(at moment: Timestamp?) -> SourceDefinition {
        guard let moment else { return self }
        var definition = self
        definition.startsAtEnd = false
        definition.startsAt = moment
        return definition
    }
}
