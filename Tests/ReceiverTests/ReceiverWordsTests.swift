import Contract
import Foundation
import Inventory
import MQTT
import Testing

@testable import Receiver

/// What a command line becomes.
struct ReceiverWordsTests {
    private func words(_ change: (inout ReceiverWords) -> Void = { _ in }) -> ReceiverWords {
        var words = ReceiverWords()
        (words.broker, words.tenant, words.path, words.requester) = ("mqtts://mq1", "acme", "/tmp/r.sqlite", "ingest")
        change(&words)
        return words
    }

    @Test func `one site, a tenant, or shards are subscribed to, and nothing else is followed`() throws {
        let one = try words { $0.site = "dc-7" }.options(programVersion: "1")
        #expect(one.topicFilters.first == "waybill/v1/c5/acme/dc-7/ev/+" && one.topicFilters.count == 5)
        #expect(one.topicFilters.last == "waybill/v1/c5/acme/dc-7/rep/ingest")
        let all = try words().options(programVersion: "1")
        #expect(all.topicFilters.contains("waybill/v1/+/acme/+/beacon"))
        let shards = try words { $0.shards = "00-3f" }.options(programVersion: "1")
        #expect(shards.topicFilters.count == 64 * 5 && shards.topicFilters.contains("waybill/v1/0a/acme/+/meta"))
        let site = try #require(SiteIdentity(tenant: "acme", site: "dc-7"))
        let other = try #require(SiteIdentity(tenant: "other", site: "dc-7"))
        #expect(one.follows(site) && all.follows(site) && !shards.follows(site) && !all.follows(other))
        #expect(try words { $0.shards = "c0-c5" }.options(programVersion: "1").follows(site))
        #expect(one.mqtt.clientID == "waybill-receive-acme-ingest" && !one.mqtt.isCleanStart)
    }

    @Test(arguments: ["3f-00", "00", "zz-ff", "00-100", "-"])
    func `shards that are none are refused`(text: String) {
        #expect(throws: ReceiverError.self) { try words { $0.shards = text }.options(programVersion: "1") }
    }

    @Test func `names and brokers of another form are refused`() {
        for change in [
            { $0.broker = "http://x" }, { $0.tenant = "a/b" }, { $0.requester = "" }, { $0.site = "+" },
            { $0.signingKeyFile = "/nonexistent" },
        ] as [(inout ReceiverWords) -> Void] {
            #expect(throws: ReceiverError.self) { try words(change).options(programVersion: "1") }
        }
    }
}

/// How a receiver bears an agent that refuses.
struct RefusedReceiverTests {
    @Test func `after STALE its commands are stamped by the agent's clock`() throws {
        let bench = try Bench()
        bench.agent.refusal = (.stale, 1)
        bench.agent.append("S", 1)
        bench.agent.append("S", 2)
        try bench.deliver(try bench.agent.event(.standard, 2))
        try bench.settle(turns: 40)
        #expect(bench.last(.standard) == 2)
        let at = try #require(bench.agent.issued.last.flatMap { Timestamp(rfc3339: $0) })
        let agent = try #require(Timestamp(rfc3339: "2026-11-23T09:14:05.000Z"))
        #expect(abs(at.milliseconds - agent.milliseconds) < 60_000, "\(at)")
    }

    @Test(arguments: [RejectionCode.busy, .denied, .malformed, .tooLarge])
    func `a refusal is borne, told, and asked again later`(code: RejectionCode) throws {
        let bench = try Bench()
        bench.agent.refusal = (code, 2)
        bench.agent.append("S", 1)
        bench.agent.append("S", 2)
        try bench.deliver(try bench.agent.event(.standard, 2))
        try bench.settle(turns: 10)
        try bench.settle(turns: 1_500)
        #expect(bench.last(.standard) == 2)
        #expect(try bench.log().contains { $0.hasPrefix("refused") } == (code != .busy))
    }

    @Test func `an older session's Will does not count`() throws {
        let bench = try Bench()
        func state(_ state: String, _ session: String) throws -> InboundMessage {
            let words = StateAnnouncement(
                state: state, session: session, instance: "i", reason: state == "offline" ? "lost" : nil)
            return bench.agent.message(bench.agent.topics.state, try wireBytes(words))
        }
        try bench.deliver(try state("online", "b"))
        try bench.deliver(try state("offline", "a"))
        #expect(bench.notices.isEmpty)
        try bench.deliver(try state("offline", "b"))
        #expect(bench.notices.count == 1)
    }
}
