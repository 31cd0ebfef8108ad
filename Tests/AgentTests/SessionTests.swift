import Foundation
import MQTT
import OwnThread
import Testing

@testable import Agent

/// The driver against the real broker.
@Suite(.ownThread) struct SessionTests: DriverTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test(arguments: [MQTTOptions.Version.v5, .v311])
    func `a message is acknowledged and one SUBACK answers all topics`(version: MQTTOptions.Version) throws {
        let broker = try broker()
        defer { broker.stop() }
        var options = try options(broker.port)
        options.version = version
        let hello = message("a", "hello")
        let seen = run(options, until: { $0.acks.count == 1 && $0.subacks == 1 && !$0.messages.isEmpty }) {
            $0.subscriptions = ["a", "b", "c"]
            $0.publishes = [hello]
        }
        #expect(seen.acks.count == 1 && seen.subacks == 1)
        #expect(seen.messages.first?.payload == hello.payload)
        #expect(seen.losses.isEmpty)
    }

    @Test func `leaving on purpose says DISCONNECT, so no Will is published`() throws {
        let broker = try broker()
        defer { broker.stop() }
        let will = message("will", "lost")
        let one = message("other", "1")
        let record = Witness.Record()
        let watcher = MQTTSession(options: try options(broker.port)) {
            Witness(record) { $0.subscriptions = ["#"] }
        }
        watcher.start()
        Demo.wait(until: Clocks.monotonic() + 10_000) { record.now.subacks == 1 }
        var leaving = try options(broker.port)
        leaving.clientID = "waybill-leaver"
        let seen = run(leaving, until: { $0.losses.count == 1 && $0.connections == 2 }) {
            $0.will = will
            $0.publishes = [one]
            $0.leavesAfterAck = true
        }
        #expect(seen.losses.first?.words == "a test leaves")
        // A message behind which the Will would have come.
        let last = message("last", "1")
        _ = run(leaving, until: { $0.acks.count == 1 }) { $0.publishes = [last] }
        Demo.wait(until: Clocks.monotonic() + 10_000) { record.now.messages.contains { $0.topic == "last" } }
        watcher.stop()
        #expect(record.now.messages.map(\.topic) == ["other", "last"])
    }

    @Test func `a clean stop says farewell and no Will is published`() throws {
        let broker = try broker()
        defer { broker.stop() }
        let will = message("presence", "lost", retain: true)
        let bye = message("presence", "bye", retain: true)
        _ = run(try options(broker.port), until: { $0.connections == 1 }) {
            $0.will = will
            $0.last = bye
        }
        let seen = run(try options(broker.port), until: { !$0.messages.isEmpty }) {
            $0.subscriptions = ["presence"]
        }
        #expect(seen.messages.map { String(decoding: $0.payload, as: UTF8.self) } == ["bye"])
    }

    @Test func `a message over the broker's maximum packet size is not sent`() throws {
        let broker = try broker("max_packet_size 2000")
        defer { broker.stop() }
        let small = message("a", "small")
        let large = message("a", String(repeating: "x", count: 2_000))
        let seen = run(try options(broker.port), until: { $0.acks.count == 1 }) { $0.publishes = [large, small] }
        #expect(seen.outcomes == [.tooLarge, .sent])
        #expect(seen.losses.isEmpty)
    }

    @Test func `a wrong password is a refusal, in words`() throws {
        try Data("site:$7$101$AAAAAAAAAAAAAAAA$AAAA\n".utf8).write(
            to: URL(fileURLWithPath: directory + "/passwords"))
        let broker = try broker("password_file \(directory)/passwords\nallow_anonymous false")
        defer { broker.stop() }
        var options = try options(broker.port)
        options.username = "site"
        options.password = "wrong"
        let seen = run(options, until: { !$0.losses.isEmpty }) { _ in }
        let loss = try #require(seen.losses.first)
        #expect(loss.isRefusal)
        #expect(loss.words.contains("does not authorise") || loss.words.contains("user name or password"))
    }

    @Test func `a broker that acknowledges nothing is left after the ack timeout`() throws {
        let broker = try broker()
        defer { broker.stop() }
        let proxy = try FaultProxy(upstream: broker.port)
        defer { proxy.stop() }
        proxy.set(.swallowPubacks)
        var options = try options(proxy.port)
        options.ackTimeout = 200
        let one = message("a", "1")
        let seen = run(options, until: { !$0.losses.isEmpty }) { $0.publishes = [one] }
        #expect(seen.losses.first?.words == "the broker acknowledges nothing any more")
    }

    @Test func `a listener that never answers is left at the connect deadline`() throws {
        let broker = try broker()
        defer { broker.stop() }
        let proxy = try FaultProxy(upstream: broker.port)
        defer { proxy.stop() }
        proxy.set(.halfOpen)
        var options = try options(proxy.port)
        options.connectDeadline = 300
        let seen = run(options, until: { !$0.losses.isEmpty }) { _ in }
        #expect(seen.losses.first?.words.contains("did not answer in time") == true)
    }

    @Test(arguments: [UInt8(0x8E), 0x93, 0x97, 0x95])
    func `the reason of a broker's DISCONNECT reaches the handler`(reason: UInt8) throws {
        let broker = try ScriptedBroker(says: [0x20, 3, 0, 0, 0, 0xE0, 2, reason, 0])
        defer { broker.stop() }
        let seen = run(try options(broker.port), until: { !$0.losses.isEmpty }) { _ in }
        #expect(seen.losses.first?.reason == reason, "\(seen.losses)")
    }

    @Test func `a broker that takes connections and drops them is not asked ever faster`() throws {
        let broker = try ScriptedBroker(says: [0x20, 3, 0, 0, 0])
        defer { broker.stop() }
        var options = try options(broker.port)
        options.backoffMin = 100
        options.backoffMax = 60_000
        let begun = Clocks.monotonic()
        let seen = run(options, until: { $0.losses.count >= 3 }) { _ in }
        #expect(seen.losses.count >= 3)
        #expect(Clocks.monotonic() - begun >= 200)
    }
}
