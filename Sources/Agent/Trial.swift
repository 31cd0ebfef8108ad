import FoundationEssentials
import Ingest
import Inventory

/// Runs a sample through a source's format and mapping; stores and publishes nothing.
package struct Trial {
    private let configuration: Configuration
    private let definition: SourceDefinition

    /// Throws when there is no source of that name.
    package init(_ configuration: Configuration, source: String?) throws {
        self.configuration = configuration
        guard let found = configuration.sources.first(where: { source == nil || $0.name == source }) else {
            let names = configuration.sources.map(\.name).joined(separator: ", ")
            throw IngestError("there is no source \"\(source ?? "")\"", hint: "there are: \(names)")
        }
        definition = found
    }

    /// Gives lines in the order of the file: a record's place and what it becomes, or with `asJSON` events as they would
    /// be sent, and rejects as objects.
    package func run(file: String, asJSON: Bool = false, _ line: (String) -> Void = { _ in }) throws -> TrialSummary {
        let reader = try reader(file)
        var summary = TrialSummary()
        while let record = try reader.next() {
            summary.note(record, ignores: definition.mapping.ignores.map(\.sql))
            if asJSON {
                for text in try objects(record) { line(text) }
            } else {
                for text in OutcomeWords.lines(record.outcome) { line("\(record.position)  \(text)") }
            }
        }
        summary.unusedColumns = reader.unusedColumns
        return summary
    }

    /// Record by record, what this mapping makes otherwise than that one does.
    package func difference(from old: Trial, file: String) throws -> TrialDifference {
        try TrialDifference(old: old.reader(file), new: reader(file))
    }

    private func reader(_ file: String) throws -> SampleReader {
        try SampleReader(
            definition, site: configuration.site, rules: configuration.inventory, path: file,
            scratch: FileManager.default.temporaryDirectory.path, now: Clocks.wall())
    }

    /// Reads the first bytes of an existing export, so that expressions meet its real columns.
    static func compileAgainstFile(_ source: SourceDefinition, site: SiteIdentity, rules: InventoryRules) throws {
        // Files of a drop directory are looked at when they are complete.
        if source.drop != nil { return }
        let pipeline = try SourcePipeline(source, site: site, rules: rules, checkpoint: nil)
        _ = try pipeline.read(maxBytes: 1 << 20, now: Clocks.wall(), monotonic: Clocks.monotonic())
    }

    private func objects(_ record: CapturedRecord) throws -> [String] {
        switch record.outcome {
        case .events(let drafts): return drafts.compactMap(sent)
        case .reject(let reason):
            let told = ["position": "\(record.position)", "code": reason.code, "message": reason.message]
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return [String(decoding: try encoder.encode(["reject": told]), as: UTF8.self)]
        case .ignored: return []
        }
    }

    private func sent(_ draft: EventDraft) -> String? {
        guard let epoch = Epoch("00000000T000000Z-0000") else { return nil }
        var encoder = EventEncoder(site: configuration.site)
        let lane = configuration.inventory.lane(of: draft.type, availableFell: false)
        return String(
            decoding: encoder.encode(draft, lane: lane, sequence: 1, epoch: epoch, balances: []), as: UTF8.self)
    }
}
