import Delivery
import Foundation
import Inventory
import MQTT
import Outbox
import OwnThread
import Synchronization
import Testing

@testable import Agent

/// What the broker refuses, against a real broker and a proxy that refuses in its name.
@Suite(.ownThread) struct RefusalTests {
    @Test func `a wrong access list stops publishing, and nothing is set aside for it`() throws {
        let rules = "topic readwrite waybill/v1/+/acme/dc-7/%\n"
        let most = ["state", "beacon", "meta"].map { rules.replacingOccurrences(of: "%", with: $0) }.joined()
        try Stage.set(accessList: most + "topic read #\n") { directory, broker, centre in
            let site = try PublishingSite(directory + "/a")
            try site.capture(Stage.names(1...30))
            try site.start(ports: [broker.port])
            defer { site.stop() }
            for _ in 0..<3 {
                #expect(
                    Stage.wait { site.has("does not authorise this site to publish") },
                    "\(site.report.healthReasons) \(site.acked()) \(centre.taken()?.map(\.type) ?? [])")
                site.clock.step(60_000)
            }
            #expect(site.acked() == 0)
            broker.stop()
            try Data((most + "topic readwrite #\n").utf8).write(to: URL(fileURLWithPath: directory + "/acl"))
            try broker.start()
            #expect(
                Stage.wait {
                    site.clock.step(1_000)
                    return site.acked() == 30
                })
            #expect(Stage.wait { centre.events.count == 30 })
            #expect(
                centre.taken()?.allSatisfy { $0.type == "stock.received.v1" } == true,
                "\(centre.events.map { "\($0.sequence.suffix(2)) \($0.type)" })")
        }
    }

    /// Refused by the broker for a while, then taken: all arrives in order, nothing is skipped.
    @Test(arguments: [UInt8(0x10), 0x80, 0x83, 0x87, 0x90, 0x91, 0x97])
    func `what a broker refuses for a while arrives in order in the end`(reason: UInt8) throws {
        try Stage.set { directory, broker, centre in
            let proxy = try FaultProxy(upstream: broker.port)
            defer { proxy.stop() }
            let site = try PublishingSite(directory + "/a")
            try site.capture(Stage.names(1...60))
            proxy.refuse(messages: reason)
            try site.start(ports: [proxy.port])
            defer { site.stop() }
            #expect(Stage.wait { proxy.refused >= 20 })
            for _ in 0..<3 {
                let before = proxy.refused
                #expect(
                    Stage.wait {
                        site.clock.step(1_000)
                        return proxy.refused > before
                    })
            }
            #expect(site.acked() == 0)
            proxy.refuse()
            #expect(
                Stage.wait {
                    site.clock.step(1_000)
                    return site.acked() == 60
                })
            // The broker acknowledges before the centre has it.
            #expect(Stage.wait { centre.taken()?.count == 60 })
            #expect(centre.events.allSatisfy { $0.type == "stock.received.v1" })
        }
    }

    @Test func `an event too large for the broker leaves a tombstone in its place and no gap`() throws {
        try Stage.set("max_packet_size 3000") { directory, broker, centre in
            let site = try PublishingSite(directory + "/a")
            try site.capture(["T-1"])
            try site.capture(["T-2"], text: String(repeating: "x", count: 4_000))
            try site.capture(["T-3"])
            try site.start(ports: [broker.port])
            defer { site.stop() }
            #expect(Stage.wait { site.acked() == 3 })
            #expect(Stage.wait { centre.events.count == 3 })
            #expect(centre.taken()?.map(\.type) == ["stock.received.v1", "stream.skipped.v1", "stock.received.v1"])
        }
    }

    @Test func `a broker that takes not even a tombstone makes the lane wait, and a stop is prompt`() throws {
        try Stage.set("max_packet_size 700") { directory, broker, _ in
            let site = try PublishingSite(directory + "/a")
            try site.capture(["T-1"], text: String(repeating: "x", count: 4_000))
            try site.start(ports: [broker.port])
            #expect(Stage.wait { site.has("maximum packet size") || site.acked() == 1 })
            let begun = Clocks.monotonic()
            site.stop()
            #expect(Clocks.monotonic() - begun < 9_000)
        }
    }

    @Test func `the next broker of the list is used, and the first again after that one is lost`() throws {
        try Stage.set { directory, broker, centre in
            let (dead, port) = try Loopback.bind(backlog: nil)
            close(dead)
            let proxy = try FaultProxy(upstream: broker.port)
            defer { proxy.stop() }
            let site = try PublishingSite(directory + "/a")
            try site.capture(["T-1"])
            try site.start(ports: [port, proxy.port, broker.port])
            defer { site.stop() }
            #expect(Stage.wait { site.acked() == 1 })
            proxy.cut()
            try site.capture(["T-2"])
            #expect(Stage.wait { site.acked() == 2 })
            #expect(centre.taken()?.count == 2)
            #expect(proxy.cuts == 1)
        }
    }
}
