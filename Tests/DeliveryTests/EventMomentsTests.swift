import Inventory
import Outbox
import Testing

@testable import Delivery

struct EventMomentsTests {
    private let occurred = Timestamp(year: 2026, month: 11, day: 23, hour: 8, minute: 14, second: 7, millisecond: 9)
    private let captured = Timestamp(year: 2026, month: 11, day: 23, hour: 8, minute: 15, second: 59, millisecond: 120)

    private func event(_ sequence: Int64, reason: String? = nil) throws -> StoredEvent {
        let site = try #require(SiteIdentity(tenant: "acme", site: "dc-7"))
        let identity = RecordIdentity(text: "T", recordHash: Digest(sha256: "T"), isTracked: true)
        let derived = EventID.derive(site: site, source: "moves", record: identity, type: .received, n: 0)
        let origin = Origin(
            source: "moves", kind: "tail", object: "f", position: "0", key: "T", recordHash: identity.recordHash)
        var draft = EventDraft(
            id: derived.id, type: .received, sku: "A", origin: origin, occurredAt: occurred, timeQuality: .exact,
            capturedAt: captured, mappingVersion: "0", traceparent: derived.traceparent)
        if let reason { draft.reason = Reason(code: "other", sourceCode: nil, text: reason) }
        var encoder = EventEncoder(site: site)
        let payload = encoder.encode(
            draft, lane: .standard, sequence: sequence, epoch: try #require(Epoch("20261123T000000Z-0000")),
            balances: [])
        return StoredEvent(lane: .standard, sequence: sequence, payload: payload)
    }

    private func moments(_ payload: [UInt8]) -> EventMoments? {
        payload.withUnsafeBytes { EventMoments(payload: $0) }
    }

    @Test(arguments: [nil, #"","occurred_at":"1999-01-01T00:00:00.000Z","captured_at":"1999"#])
    func `an event tells when it happened and when it was captured, whatever its texts hold`(reason: String?) throws {
        let moments = try #require(moments(try event(1, reason: reason).payload))
        #expect(moments.occurred == occurred.milliseconds && moments.captured == captured.milliseconds)
    }

    @Test(arguments: ["", "{}", #""occurred_at":""#, #"{"occurred_at":"2026-11-23T08:14:07.009Z"}"#])
    func `what is no event tells none`(text: String) { #expect(moments(Array(text.utf8)) == nil) }

    @Test func `what is acked is counted once, also when it was sent again`() throws {
        var sent = SentMoments()
        let events = try (1...10).map { try event($0) }
        sent.sent(events[...])
        #expect(sent.take(through: 4).count == 4)
        sent.sent(events[4...])
        #expect(sent.take(through: 4).isEmpty)
        #expect(sent.take(through: 10).count == 6 && sent.take(through: 10).isEmpty)
        sent.sent(events[0..<3])
        #expect(sent.take(through: 2).count == 2, "a new epoch begins at 1 again")
    }

    @Test func `a histogram counts by upper bound, and a clock that ran back as no time`() {
        var histogram = DurationHistogram()
        for milliseconds: Int64 in [-5, 5, 6, 86_400_001] { histogram.observe(milliseconds) }
        #expect(histogram.counts.first == 2 && histogram.counts[1] == 1 && histogram.counts.last == 1)
        #expect(histogram.count == 4 && histogram.sumMilliseconds == 86_400_012)
    }
}
