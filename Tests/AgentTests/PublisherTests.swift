import Contract
import Delivery
import Foundation
import Inventory
import MQTT
import Outbox
import OwnThread
import Synchronization
import Testing

@testable import Agent

/// The publisher against a real broker: continuity, refusals, faults.
@Suite(.ownThread) struct PublisherTests {
    // MARK: order on a connection

    @Test(arguments: [MQTTOptions.Version.v5, .v311])
    func `meta, state and a beacon come before the first event, and events in order`(
        version: MQTTOptions.Version
    ) throws {
        try Stage.set { directory, broker, centre in
            let site = try PublishingSite(directory + "/a")
            try site.capture(Stage.names(1...50))
            try site.start(ports: [broker.port], { $0.version = version }, { $0.batches.above = nil })
            defer { site.stop() }
            #expect(Stage.wait { centre.events.count == 50 && site.acked() == 50 })
            #expect(Array(centre.topics.prefix(4)) == ["dc-7/meta", "dc-7/state", "dc-7/beacon", "ev/standard"])
            #expect(centre.taken()?.count == 50)
            #expect(centre.events.first?.sequence == "0000000000000000001")
        }
    }

    @Test func `an event carries copies of its attributes as user properties`() throws {
        try Stage.set { directory, broker, centre in
            let proxy = try FaultProxy(upstream: broker.port)
            defer { proxy.stop() }
            proxy.record()
            let site = try PublishingSite(directory + "/a")
            try site.capture(["T-1"])
            try site.start(ports: [proxy.port])
            defer { site.stop() }
            #expect(Stage.wait { centre.events.count == 1 })
            let epoch = try #require(centre.events.first?.epoch)
            let sent = proxy.recorded
            for (name, value) in [("sequence", "0000000000000000001"), ("epoch", epoch), ("lane", "standard")] {
                #expect(sent.contains(Self.property(name, value)), "\(name)")
            }
            #expect(sent.contains(Self.property("traceparent", "00-").dropLast(5)))
            #expect(sent.contains(Array("application/cloudevents+json; charset=utf-8".utf8)))
        }
    }

    /// A user property as it stands in a packet (MQTT 5, section 2.2.2.2).
    private static func property(_ name: String, _ value: String) -> [UInt8] {
        [0x26] + [name, value].flatMap { [0, UInt8($0.utf8.count)] + Array($0.utf8) }
    }

    @Test func `empty messages on its own topics, which probe the access list, leave the agent as it is`() throws {
        try Stage.set { directory, broker, centre in
            let site = try PublishingSite(directory + "/a")
            let epoch = site.outbox.progress.epoch
            try site.start(ports: [broker.port])
            defer { site.stop() }
            #expect(Stage.wait { !centre.beacons.isEmpty })
            let topics = Topics(site: try PublishingSite.identity())
            for topic in [topics.beacon, topics.meta, topics.state] {
                try Stage.publish("", topic: topic, retain: false, port: broker.port)
            }
            try site.capture(["T-1"])
            #expect(Stage.wait { site.acked() == 1 })
            // A new connection would announce itself again.
            #expect(centre.metas.filter { !$0.isEmpty }.count == 1)
            #expect(site.outbox.progress.epoch == epoch)
        }
    }

    @Test func `a late Will of another session is answered by presence`() throws {
        try Stage.set { directory, broker, centre in
            let site = try PublishingSite(directory + "/a")
            try site.start(ports: [broker.port])
            defer { site.stop() }
            #expect(Stage.wait { centre.states.count == 1 })
            let shard = try PublishingSite.identity().shard
            let late = #"{"v":1,"state":"offline","session":"0","instance":"i","reason":"lost"}"#
            try Stage.publish(late, topic: "waybill/v1/\(shard)/acme/dc-7/state", port: broker.port)
            #expect(Stage.wait { centre.states.count == 3 })
            #expect(centre.states.last?.contains(#""state":"online""#) == true)
        }
    }

    @Test func `meta is sent again when the sources are known`() throws {
        try Stage.set { directory, broker, centre in
            let site = try PublishingSite(directory + "/a")
            try site.start(ports: [broker.port])
            defer { site.stop() }
            #expect(Stage.wait { centre.metas.count == 1 })
            site.report.describe(sources: [.init(name: "moves", kind: "tail", mapping: "7")])
            #expect(Stage.wait { centre.metas.count == 2 })
            #expect(centre.metas.last?.contains(#""mapping_version":"7""#) == true)
            #expect(centre.metas.last?.contains(#""retention":{"bytes":"#) == true)
            #expect(centre.metas.last?.contains("previous") == false)
        }
    }

    @Test func `a beacon shows what waits, how long, and that it waits too long`() throws {
        try Stage.set { directory, broker, centre in
            let proxy = try FaultProxy(upstream: broker.port)
            defer { proxy.stop() }
            proxy.refuse(messages: 0x80)
            let site = try PublishingSite(directory + "/a")
            try site.capture(Stage.names(1...3))
            try site.start(ports: [proxy.port], { _ in }, { $0.ageLimits = [.standard: 1] })
            defer { site.stop() }
            let words = "lane standard: events wait longer than 0 s for the broker"
            #expect(Stage.wait { centre.beacons.last?.reasons.contains(words) == true })
            let waiting = centre.beacons.last?.lanes.first { $0.name == "standard" }
            #expect(waiting?.oldest == 1 && waiting?.backlog == 3)
            #expect(waiting.map { $0.backlog_bytes > 1_000 && $0.oldest_unacked_age_ms > 1 } == true)
            proxy.refuse()
            #expect(
                Stage.wait {
                    site.clock.step(1_000)
                    return site.acked() == 3 && centre.beacons.last?.reasons == []
                })
            let settled = centre.beacons.last?.lanes.first { $0.name == "standard" }
            #expect(settled?.oldest == 1 && settled?.backlog == 0)
            #expect(settled?.backlog_bytes == 0 && settled?.oldest_unacked_age_ms == 0)
        }
    }
}
