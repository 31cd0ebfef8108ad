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

/// Rollback, clones and foreign epochs, against a real broker.
@Suite(.ownThread) struct ContinuityOnWireTests {
    @Test func `an outbox that was rolled back publishes nothing, and then begins an epoch above the last`()
        throws
    {
        try Stage.set { directory, broker, centre in
            do {
                let first = try PublishingSite(directory + "/a")
                try first.capture(Stage.names(1...3))
                try first.start(ports: [broker.port])
                #expect(Stage.wait { first.acked() == 3 })
                first.stop()
                try first.outbox.close()
            }
            try FileManager.default.copyItem(atPath: directory + "/a", toPath: directory + "/snapshot")
            do {
                let second = try PublishingSite(directory + "/a")
                try second.capture(Stage.names(4...5))
                try second.start(ports: [broker.port])
                #expect(Stage.wait { second.acked() == 5 && centre.events.count == 5 })
                second.stop()
                try second.outbox.close()
            }
            let old = try #require(centre.beacons.last?.epoch)
            let restored = try PublishingSite(directory + "/snapshot")
            defer { restored.stop() }
            try restored.capture(["X-4"])
            try restored.start(ports: [broker.port])
            #expect(Stage.wait { restored.has("ahead of this outbox") })
            #expect(centre.events.count == 5 && centre.beacons.allSatisfy { $0.epoch == old })
            restored.clock.step(60_000)
            #expect(Stage.wait { centre.events.contains { $0.epoch > old } })
            let epoch = try #require(centre.events.last?.epoch)
            #expect(centre.taken(epoch: epoch)?.count == 1)
            #expect(centre.beacons.last?.epoch == epoch)
            #expect(
                Stage.wait {
                    centre.metas.last?.contains(
                        #""previous":{"epoch":"\#(old)","heads":{"bulk":0,"critical":0,"standard":3}}"#) == true
                })
        }
    }

    @Test func `a clone of a living agent publishes nothing for as long as that one lives`() throws {
        try Stage.set { directory, broker, centre in
            let shape = try PublishingSite(directory + "/a")
            try shape.capture(["T-1"])
            try shape.outbox.close()
            try FileManager.default.copyItem(atPath: directory + "/a", toPath: directory + "/b")
            let living = try PublishingSite(directory + "/a")
            try living.start(ports: [broker.port])
            defer { living.stop() }
            #expect(Stage.wait { living.acked() == 1 && centre.beacons.count >= 2 })
            let clone = try PublishingSite(directory + "/b")
            try clone.capture(["X-2"])
            try clone.start(ports: [broker.port])
            defer { clone.stop() }
            for words in ["ahead of this outbox", "another agent publishes as this site"] {
                #expect(Stage.wait { clone.has(words) }, "\(clone.report.healthReasons)")
                let heard = centre.beacons.count
                #expect(Stage.wait { centre.beacons.count > heard + 1 })
                clone.clock.step(60_000)
            }
            try living.capture(["T-2"])
            #expect(Stage.wait { living.acked() == 2 })
            let ids = try Set(["T-1", "T-2"].map { try Stage.id($0) })
            #expect(Set(centre.events.map(\.id)) == ids)
            #expect(Set(centre.beacons.map(\.epoch)).count == 1)
        }
    }

    @Test func `an epoch that only a retained meta knows is answered by a greater one`() throws {
        try Stage.set { directory, broker, centre in
            let shard = try PublishingSite.identity().shard
            try Stage.publish(
                #"{"v":1,"epoch":"21001231T000000Z-0000"}"#, topic: "waybill/v1/\(shard)/acme/dc-7/meta",
                port: broker.port)
            let site = try PublishingSite(directory + "/a")
            try site.capture(["T-1"])
            try site.start(ports: [broker.port])
            defer { site.stop() }
            #expect(Stage.wait { site.has("ahead of this outbox") })
            site.clock.step(60_000)
            #expect(Stage.wait { centre.events.count == 1 })
            #expect(centre.events.allSatisfy { $0.epoch > "21001231T000000Z-0000" })
        }
    }

    @Test func `a retained announcement of the year 9999 is said, written over, and stops nothing`() throws {
        try Stage.set { directory, broker, centre in
            let topics = Topics(site: try PublishingSite.identity())
            let last = "99991231T235959Z-fffe"
            try Stage.publish(#"{"v":1,"epoch":"\#(last)"}"#, topic: topics.meta, port: broker.port)
            try Stage.publish(
                #"{"v":1,"n":9,"session":"s","epoch":"\#(last)"}"#, topic: topics.beacon, port: broker.port)
            let site = try PublishingSite(directory + "/a")
            let epoch = site.outbox.progress.epoch
            try site.capture(["T-1"])
            try site.start(ports: [broker.port])
            defer { site.stop() }
            #expect(Stage.wait { centre.events.count == 1 })
            #expect(site.outbox.progress.epoch == epoch && centre.beacons.last?.epoch == epoch.text)
        }
    }

    @Test func `a site that may not read its own beacon publishes nothing and says so`() throws {
        try Stage.set { directory, broker, centre in
            let proxy = try FaultProxy(upstream: broker.port)
            defer { proxy.stop() }
            proxy.refuse(subscriptions: 0x87)
            let site = try PublishingSite(directory + "/a")
            try site.capture(["T-1"])
            try site.start(ports: [proxy.port])
            defer { site.stop() }
            #expect(Stage.wait { site.has("does not let this site read") })
            #expect(centre.topics.isEmpty)
            proxy.refuse()
            site.clock.step(60_000)
            #expect(Stage.wait { centre.events.count == 1 })
        }
    }
}
