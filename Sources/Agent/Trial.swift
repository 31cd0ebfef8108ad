import FoundationEssentials
import Ingest
import Inventory

/// Runs a sample through a source's format and mapping; stores and publishes nothing.
package struct Trial {
    package struct Result {
        /// Events as they would be sent, and rejects in words, in the order of the file.
        package var lines: [String] = []
        package var events = 0
        package var rejects = 0
        package var ignored = 0
    }

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

    /// `asJSON`: rejects as objects too, one a line.
    package func run(file: String, asJSON: Bool = false) throws -> Result {
        var sample = definition
        sample.path = file
        sample.startsAtEnd = false
        sample.flushAfter = 0
        let pipeline = try SourcePipeline(
            sample, site: configuration.site, rules: configuration.inventory, checkpoint: nil)
        var result = Result()
        var more = true
        while more {
            let read = try pipeline.read(maxBytes: 1 << 20, now: Clocks.wall(), monotonic: Clocks.monotonic())
            if read.status != "ok" { throw IngestError(read.status, hint: "check the path and its rights") }
            for record in read.batch?.records ?? [] { try note(record, &result, asJSON) }
            more = read.more
        }
        return result
    }

    /// Reads the first bytes of an existing export, so that expressions meet its real columns.
    static func compileAgainstFile(_ source: SourceDefinition, site: SiteIdentity, rules: InventoryRules) throws {
        // Files of a drop directory are looked at when they are complete.
        if source.drop != nil { return }
        let pipeline = try SourcePipeline(source, site: site, rules: rules, checkpoint: nil)
        _ = try pipeline.read(maxBytes: 1 << 20, now: Clocks.wall(), monotonic: Clocks.monotonic())
    }

    private func note(_ record: CapturedRecord, _ result: inout Result, _ asJSON: Bool) throws {
        switch record.outcome {
        case .events(let drafts):
            for draft in drafts {
                var encoder = EventEncoder(site: configuration.site)
                let lane = configuration.inventory.lane(of: draft.type, availableFell: false)
                guard let epoch = Epoch("00000000T000000Z-0000") else { continue }
                let bytes = encoder.encode(draft, lane: lane, sequence: 1, epoch: epoch, balances: [])
                result.lines.append(String(decoding: bytes, as: UTF8.self))
                result.events += 1
            }
        case .reject(let reason):
            if asJSON {
                let told = ["position": "\(record.position)", "code": reason.code, "message": reason.message]
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                result.lines.append(String(decoding: try encoder.encode(["reject": told]), as: UTF8.self))
            } else {
                result.lines.append("reject \(record.position) \(reason.code): \(reason.message)")
            }
            result.rejects += 1
        case .ignored: result.ignored += 1
        }
    }
}
