import Delivery
import Foundation
import Inventory
import Logging
import Outbox
import Testing

@testable import Agent

struct HousekeepingTests {
    /// Releases the pruning of a backlog within seconds, since an outbox at its limit waits for it.
    @Test func `what may be pruned goes in one run of small steps, faster than a step a second`() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("wb-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let site = try #require(SiteIdentity(tenant: "acme", site: "dc-7"))
        var options = OutboxOptions(
            directory: directory, site: site, rules: InventoryRules(), programVersion: "1.0.0")
        options.keepBytes = 0
        let outbox = try Outbox(options, now: Clocks.wall())
        for page in 0..<6 { try fill(outbox, site, from: page * 1_000) }
        try outbox.acknowledge([.standard: 6_000])
        let configuration = try Configuration.parse(
            Demo.configuration(port: 1), file: "agent.conf", directory: directory, environment: [:])
        let (watermarks, stop) = (Watermarks(), StopFlag())
        let thread = OwnedThread(name: "test-keep") {
            Housekeeping(
                current: CurrentConfiguration(configuration), outbox: outbox,
                report: DeliveryReport(now: Clocks.wall) { _ in }, watermarks: watermarks, stop: stop,
                logger: Logger(label: "test"), service: ServiceNotification(environment: { _ in nil }), pulse: Pulse()
            ).run()
        }
        let reader = try outbox.reader()
        let begun = Clocks.monotonic()
        while try !reader.page(lane: .standard, after: 0, limit: 1).isEmpty, Clocks.monotonic() < begun + 20_000 {}
        let took = Clocks.monotonic() - begun
        stop.set()
        watermarks.nudge()
        thread.join()
        #expect(try reader.page(lane: .standard, after: 0).isEmpty)
        #expect(took < 5_000)
    }

    private func fill(_ outbox: Outbox, _ site: SiteIdentity, from first: Int) throws {
        let now = Clocks.wall()
        let records = try (first..<first + 1_000).map { number in
            let hash = Digest(sha256: "\(number)")
            let identity = RecordIdentity(text: "\(number)", recordHash: hash, isTracked: false)
            let derived = EventID.derive(site: site, source: "m", record: identity, type: .received, n: 0)
            let origin = Origin(
                source: "m", kind: "tail", object: "f", position: "0", key: identity.text, recordHash: hash)
            var draft = EventDraft(
                id: derived.id, type: .received, sku: "A", origin: origin, occurredAt: now, timeQuality: .exact,
                capturedAt: now, mappingVersion: "0", traceparent: derived.traceparent)
            let one = try Quantity("1")
            draft.changes = [StockChange(key: StockKey(sku: "A", location: "L"), bucket: .unrestricted, delta: one)]
            return CapturedRecord(
                identity: identity, outcome: .events([draft]), bytes: [],
                position: RecordPosition(object: "f", offset: 0))
        }
        let checkpoint = Checkpoint(kind: "tail", text: "\(first)", position: "\(first)")
        _ = try outbox.append([CaptureBatch(source: "m", records: records, checkpoint: checkpoint)], now: now)
    }
}
