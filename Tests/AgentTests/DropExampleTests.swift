import Foundation
import Ingest
import Inventory
import Outbox
import Testing

@testable import Agent

/// The examples with drop directories, each read whole into a real outbox and compared with its `expected.json`;
/// WAYBILL_REWRITE=1 writes those anew.
struct DropExampleTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    @Test(arguments: ["full-dump", "drop-with-markers", "fixed-width-as400"])
    func `an example becomes the events that stand beside it`(name: String) throws {
        let site = try AgentSite()
        let folder = "\(Self.root)/Examples/\(name)"
        for file in ["agent.conf", "in"] {
            try FileManager.default.copyItem(atPath: "\(folder)/\(file)", toPath: "\(site.directory)/\(file)")
        }
        try touch(site.directory + "/in")
        let configuration = try Configuration.load(path: site.directory + "/agent.conf", environment: [:])
        let told = try events(configuration)
        let expected = folder + "/expected.jsonl"
        if ProcessInfo.processInfo.environment["WAYBILL_REWRITE"] != nil {
            try (told.joined(separator: "\n") + "\n").write(toFile: expected, atomically: true, encoding: .utf8)
        }
        #expect(told == (try String(contentsOfFile: expected, encoding: .utf8)).split(separator: "\n").map(String.init))
    }

    /// A clone gives all files the same time; what is older than its marker counts.
    private func touch(_ directory: String) throws {
        for file in try FileManager.default.contentsOfDirectory(atPath: directory) {
            let moment = Date(timeIntervalSince1970: file.hasSuffix(".done") ? 1_700_000_100 : 1_700_000_000)
            try FileManager.default.setAttributes([.modificationDate: moment], ofItemAtPath: "\(directory)/\(file)")
        }
    }

    private func events(_ configuration: Configuration) throws -> [String] {
        let outbox = try Outbox(configuration.outbox, now: Timestamp(milliseconds: 1_795_000_000_000))
        let source = configuration.sources[0]
        let reader = try source.reader(
            site: configuration.site, rules: configuration.inventory, beginning: SourceBeginning(workClock: { 0 }))
        var clock: Int64 = 0
        for _ in 0..<1_000 {
            clock += 1_000
            let now = Timestamp(milliseconds: 1_795_000_000_000)
            let read = try reader.read(maxBytes: 1 << 20, now: now, monotonic: clock)
            if let batch = read.batch {
                _ = try outbox.append([batch], now: now)
                reader.committed(batch.checkpoint)
            }
            if !read.more { break }
        }
        let looking = try outbox.reader()
        let events = try [Lane.critical, .standard, .bulk].flatMap { lane in
            try looking.page(lane: lane, after: 0).map { try Self.short($0) }
        }
        return events
            + (try looking.rejects()).map { #"{"reject":"\#($0.reason.code)","position":"\#($0.position)"}"# }
    }

    /// What the example is about: type, subject and the figures.
    private static func short(_ event: StoredEvent) throws -> String {
        let whole = try #require(
            try JSONSerialization.jsonObject(with: Data(event.payload)) as? [String: Any])
        let data = try #require(whole["data"] as? [String: Any])
        var told: [String: Any] = ["type": whole["type"] ?? "", "subject": whole["subject"] ?? ""]
        for member in ["quantity", "changes", "difference", "balances", "document", "loss", "occurred_at"] {
            told[member] = data[member]
        }
        let json = try JSONSerialization.data(withJSONObject: told, options: [.sortedKeys, .withoutEscapingSlashes])
        return String(decoding: json, as: UTF8.self)
    }
}
