import Foundation
import Inventory
import Outbox
import Testing

struct OutboxTests {
    private let temporary: TemporaryOutbox

    init() throws { temporary = try TemporaryOutbox() }

    @Test func `events, heads, stock and checkpoint are there together after a reopening`() throws {
        do {
            let outbox = try temporary.open()
            let batch = temporary.batch(
                [try temporary.record("1"), try temporary.record("2", type: .shipped)], at: "17")
            #expect(try outbox.append([batch], now: temporary.now).events == 2)
        }
        let outbox = try temporary.open()
        #expect(try outbox.checkpoint(of: "moves")?.text == "17")
        #expect(outbox.progress.lanes[.standard].head == 1)
        #expect(outbox.progress.lanes[.critical].head == 1)
        let event = try #require(try outbox.reader().page(lane: .critical, after: 0).first)
        let text = String(decoding: event.payload, as: UTF8.self)
        #expect(text.contains(#""version":2,"unrestricted":"0""#))
    }

    @Test func `the same record again is suppressed, and with other content it is a conflict that changes nothing`()
        throws
    {
        let outbox = try temporary.open()
        _ = try outbox.append([temporary.batch([try temporary.record("1")])], now: temporary.now)
        let again = try outbox.append(
            [temporary.batch([try temporary.record("1"), try temporary.record("1", content: "other")])],
            now: temporary.now)
        #expect(again.events == 0)
        #expect(again.suppressed == 1)
        #expect(again.conflicts == 1)
    }

    @Test func `an overflow becomes a reject with its bytes and the rest of the batch goes on`() throws {
        let outbox = try temporary.open()
        let most = "999999999999"
        let records = [
            try temporary.record("1", quantity: most), try temporary.record("2", quantity: most),
            try temporary.record("3", quantity: most, type: .shipped),
        ]
        let result = try outbox.append([temporary.batch(records)], now: temporary.now)
        #expect(result.events == 2)
        #expect(result.rejects == 1)
        let reject = try #require(try outbox.reader().rejects().first)
        #expect(reject.bytes == Array("2".utf8))
        #expect(reject.reason.code == "overflow")
    }

    @Test func `the acked watermark only rises and never passes the head`() throws {
        let outbox = try temporary.open()
        _ = try outbox.append(
            [temporary.batch([try temporary.record("1"), try temporary.record("2")])], now: temporary.now)
        try outbox.acknowledge([.standard: 99])
        try outbox.acknowledge([.standard: 1])
        #expect(outbox.progress.lanes[.standard].acked == 2)
    }

    @Test func `a data directory that another agent holds is refused with its pid`() throws {
        let outbox = try temporary.open()
        let error = #expect(throws: OutboxError.self) { _ = try temporary.open() }
        #expect(error?.message.contains("pid \(getpid())") == true)
        _ = outbox.progress
    }

    @Test func `sessions and beacon numbers only rise, also when the clock goes back`() throws {
        let outbox = try temporary.open()
        let first = try outbox.mintSession(now: temporary.now, above: nil)
        let second = try outbox.mintSession(now: Timestamp(milliseconds: 0), above: nil)
        #expect(second > first)
        #expect(try outbox.nextBeacon(session: second).number == 1)
        #expect(try outbox.nextBeacon(session: second).number == 2)
        #expect(try outbox.lastBeacon().number == 2)
    }

}
