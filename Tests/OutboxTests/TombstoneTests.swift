import Inventory
import Outbox
import SQLite
import Testing

struct TombstoneTests {
    private let temporary: TemporaryOutbox

    init() throws { temporary = try TemporaryOutbox() }

    @Test func `a tombstone takes the place of an event that cannot be sent, under its sequence`() throws {
        let outbox = try temporary.open()
        _ = try outbox.append([temporary.batch([try temporary.record("1")])], now: temporary.now)
        try outbox.skip(lane: .standard, sequence: 1, reason: "too large", now: temporary.now)
        let event = try #require(try outbox.reader().page(lane: .standard, after: 0).first)
        #expect(String(decoding: event.payload, as: UTF8.self).contains("stream.skipped.v1"))
    }

    /// A record that touches so many stock keys.
    private func large(_ keys: Int) throws -> CapturedRecord {
        var record = try temporary.record("1")
        guard case .events(var drafts) = record.outcome else { return record }
        drafts[0].changes = try (0..<keys).map {
            StockChange(key: StockKey(sku: "A", location: "L-\($0)"), bucket: .unrestricted, delta: try Quantity("5"))
        }
        record.outcome = .events(drafts)
        return record
    }

    @Test func `a tombstone that is still too large is halved each time, down to half a kilobyte`() throws {
        let outbox = try temporary.open()
        _ = try outbox.append([temporary.batch([try large(400)])], now: temporary.now)
        let original = try #require(try temporary.payloads(outbox).first)
        #expect(original.count > 40_000)
        let id = try member("id", of: original)
        var size = original.count
        var kept = Int.max
        for _ in 0..<8 {
            try outbox.skip(lane: .standard, sequence: 1, reason: "too large", now: temporary.now)
            let payload = try #require(try temporary.payloads(outbox).first)
            #expect(payload.count <= max(512, size / 2))
            let text = String(decoding: payload, as: UTF8.self)
            #expect(text.contains(id) && text.contains("stream.skipped.v1"))
            #expect(try Int(member("sequence", of: payload)) == 1)
            let lines = text.split(separator: #""location""#).count
            #expect(lines <= kept)
            kept = lines
            size = payload.count
        }
        #expect(size <= 512)
        let letters = try temporary.connection().prepare("SELECT payload, reason FROM dead_letters")
        #expect(try letters.step())
        #expect(letters.bytes(0) == original)
        #expect(try letters.step() == false)
    }

    @Test func `a sequence that nothing stands under cannot be skipped`() throws {
        let outbox = try temporary.open()
        let error = #expect(throws: OutboxError.self) {
            try outbox.skip(lane: .standard, sequence: 1, reason: "x", now: temporary.now)
        }
        #expect(error?.code == .unknownSequence)
    }

    @Test func `a tombstone that is not acked moves into a new epoch like any event`() throws {
        let outbox = try temporary.open()
        try temporary.fill(outbox, 3)
        try outbox.skip(lane: .standard, sequence: 2, reason: "too large", now: temporary.now)
        try outbox.acknowledge([.standard: 1])
        _ = try outbox.startEpoch(above: [], reason: "test", now: temporary.now)
        let payloads = try temporary.payloads(outbox)
        #expect(try payloads.map { try member("sequence", of: $0).suffix(1) } == ["1", "2"])
        #expect(try payloads.map { try member("epoch", of: $0) == outbox.progress.epoch.text } == [true, true])
        #expect(try member("type", of: payloads[0]) == "stream.skipped.v1")
    }
}
