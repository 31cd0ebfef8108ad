import Testing

@testable import MQTT

struct BackoffTests {
    private func waits(_ count: Int, seed: UInt64 = 1, isRefusal: Bool = false) -> [Int64] {
        var backoff = Backoff(least: 500, most: 120_000)
        var random = Jitter(seed: seed)
        return (0..<count).map { _ in backoff.next(using: &random, isRefusal: isRefusal) }
    }

    @Test func `waits are spread over the whole range, which doubles up to the limit`() {
        let first = (0..<500).map { waits(1, seed: $0)[0] }
        #expect(first.allSatisfy { (500...1_000).contains($0) })
        #expect(first.contains { $0 < 600 } && first.contains { $0 > 900 })
        let tenth = (0..<500).map { waits(10, seed: $0)[9] }
        #expect(tenth.allSatisfy { (500...120_000).contains($0) })
        #expect(tenth.contains { $0 < 20_000 } && tenth.contains { $0 > 100_000 })
    }

    @Test func `the same seed waits the same`() {
        #expect(waits(20, seed: 7) == waits(20, seed: 7))
        #expect(waits(20, seed: 7) != waits(20, seed: 8))
    }

    @Test func `a refusal is asked again after a minute, then ever more slowly up to a quarter of an hour`() {
        #expect(waits(7, isRefusal: true) == [60, 120, 240, 480, 900, 900, 900].map { $0 * 1_000 })
    }

    @Test func `success begins again`() {
        var backoff = Backoff(least: 500, most: 120_000)
        var random = Jitter(seed: 3)
        for _ in 0..<30 { _ = backoff.next(using: &random, isRefusal: false) }
        backoff.succeeded()
        let again = (backoff.next(using: &random, isRefusal: false), backoff.next(using: &random, isRefusal: true))
        #expect(again.0 <= 1_000 && again.1 == 60_000)
    }

    @Test func `limits the wrong way round are no trap`() {
        var backoff = Backoff(least: 500, most: 10)
        var random = Jitter(seed: 3)
        let wait = backoff.next(using: &random, isRefusal: false)
        #expect(wait == 500)
    }
}

struct BrokerOrderTests {
    @Test func `brokers are tried in order, and from the first again after one that proved itself`() {
        var order = BrokerOrder(count: 3)
        var tried = [order.index]
        for _ in 0..<4 {
            order.lost(wasProven: false)
            tried.append(order.index)
        }
        #expect(tried == [0, 1, 2, 0, 1])
        order.lost(wasProven: true)
        #expect(order.index == 0)
    }
}

struct BrokerAddressTests {
    @Test(arguments: ["mqtt://a", "mqtt://a:1", "mqtts://a:65535"])
    func `an address has a scheme, a host and at most a port`(text: String) {
        #expect(BrokerAddress(text) != nil)
    }

    @Test(arguments: [
        "", "a", "mqtt:/a", "mqtt://", "mqtt://a:0", "mqtt://a:65536", "mqtt://a:b", "http://a", "mqtt://a/b",
    ])
    func `anything else is refused`(text: String) { #expect(BrokerAddress(text) == nil) }
}

struct MessageFormTests {
    @Test func `the size is an upper bound with and without properties`() {
        var form = MessageForm(topic: "topic", contentType: "type", userProperties: [("name", "value"), ("other", "")])
        let plain = form.packetBytes(payload: 100, withProperties: false)
        let rich = form.packetBytes(payload: 100, withProperties: true)
        #expect(plain > 5 + 7 + 100)
        #expect(rich > plain + 5 + "name".count + "value".count)
        "a longer value".withCString { form.setProperty(1, UnsafeRawBufferPointer(start: $0, count: 14)) }
        #expect(form.packetBytes(payload: 100, withProperties: true) == rich + 14)
        #expect(form.properties.map(\.isEmpty) == [false, false])
        form.setProperty(0, UnsafeRawBufferPointer(start: nil, count: 0))
        #expect(form.properties.map(\.isEmpty) == [true, false])
    }
}
