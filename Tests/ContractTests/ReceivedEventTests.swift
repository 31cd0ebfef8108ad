import Inventory
import Testing

@testable import Contract

struct ReceivedEventTests {
    private let site = SiteIdentity(tenant: "acme", site: "dc-7")
    private let now = Timestamp(milliseconds: 1_795_000_000_000)

    @Test func `a snapshot's level is read as it was written`() throws {
        var encoder = EventEncoder(site: try #require(site))
        let epoch = try #require(Epoch("20261123T091405Z-00ff"))
        let key = StockKey(sku: "a\"b\\c", location: "ü-1", lot: "L\u{1}7")
        let balance = Balance(version: 42) { [-12_500_000, nil, 0, 7, nil, 1_000_000][Int($0.rawValue)] }
        let line = BalanceLine(key: key, balance: balance)
        var bytes: [UInt8] = []
        encoder.encodeSnapshotLevel(line, snapshot: "s-1", epoch: epoch, now: now, into: &bytes)
        let event = try #require(try EventReader.read(bytes).first)
        #expect(event.lines == [line])
        #expect(event.snapshot == "s-1" && event.subject == key.sku && event.place == nil && event.epoch == epoch)
        #expect(event.range == 0..<bytes.count)
    }

    @Test func `what surrounds a snapshot carries heads, scope and totals`() throws {
        var encoder = EventEncoder(site: try #require(site))
        let epoch = try #require(Epoch("20261123T091405Z-00ff"))
        let heads = ByLane<Int64> { Int64($0.rawValue) + 7 }
        let scope = SnapshotScope(sku: "10", leaf: 0xA3)
        let begin = try EventReader.read(
            encoder.encodeSnapshotBegin("s-1", scope: scope, epoch: epoch, asof: heads, now: now))
        #expect(begin[0].snapshotTotals?.asof == heads && begin[0].snapshotTotals?.leaf == "00a3")
        #expect(begin[0].snapshotTotals?.sku == "10")
        let sum = LineSum(high: 1, low: .max)
        let end = try EventReader.read(
            encoder.encodeSnapshotEnd("s-1", epoch: epoch, asof: heads, keys: 3, sum: sum, now: now))
        #expect(end[0].snapshotTotals?.keys == 3 && end[0].snapshotTotals?.sum == sum)
    }

    @Test func `another sender's spacing, order and members are read too`() throws {
        let text = """
            [ { "data" : { "balances" : [ { "lot":"x", "version" : 3 , "unrestricted" : null, "allocated":"1.5",
            "more": [ {"deep": [1, -2.5e3, true, null, "\\u00fc"] } ] } ] , "origin": {"record_sha256":"00000000000000ffaa"} },
            "type":"stock.shipped.v1","subject":"\\u0031\\ud83d\\ude00","lane":"critical","epoch":"20261123T091405Z-00ff",
            "sequence":"0000000000000000012","id":"00000000-0000-8000-8000-000000000001","specversion":"1.0" } ]
            """
        let event = try #require(try EventReader.read(Array(text.utf8)).first)
        #expect(event.subject == "1😀" && event.place?.sequence == 12 && event.recordHash == 255)
        #expect(event.lines.first?.key == StockKey(sku: "1😀", lot: "x"))
        #expect(event.lines.first?.balance[.allocated]?.description == "1.5")
    }

    @Test(arguments: [
        "", "[", "{}", "[{}]", "{\"specversion\":\"1.0\"", "nope", "[1]", "{\"a\":\u{1}}", "{\"a\":tru}",
        String(repeating: "[", count: 10_000), "{\"x\":" + String(repeating: "{\"a\":", count: 10_000),
    ])
    func `what is no event throws`(text: String) {
        #expect(throws: (any Error).self) { try EventReader.read(Array(text.utf8)) }
    }

    @Test func `a topic is taken apart, and a wrong shard is nobody's`() throws {
        let site = try #require(site)
        let topics = Topics(site: site)
        #expect(TopicName(topics.events(.bulk)) == TopicName(topics.root + "/ev/bulk"))
        #expect(TopicName(topics.replies("ingest"))?.part == .reply(requester: "ingest"))
        #expect(TopicName(topics.beacon)?.part == .beacon)
        let other = site.shard == "00" ? "01" : "00"
        #expect(TopicName("waybill/v1/\(other)/acme/dc-7/state") == nil)
        #expect(TopicName(topics.root + "/ev/express") == nil)
        for topic in ["rep/a/b", "rep/+", "rep/#", "rep/", "ev/bulk"] {
            #expect(topics.requester(ofResponseTopic: topics.root + "/" + topic) == nil)
        }
        #expect(topics.requester(ofResponseTopic: topics.replies("ingest")) == "ingest")
    }

    @Test func `a signature counts for its topic, body and key alone`() throws {
        let pem = """
            -----BEGIN PRIVATE KEY-----
            MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
            -----END PRIVATE KEY-----
            """
        let key = try #require(SigningKey(pem: pem))
        #expect(key.publicText == "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
        let signed = try #require(key.sign(body: "{}", topic: "t/cmd/ping"))
        let verifier = try #require(VerificationKey(signed.key))
        #expect(verifier.verifies(signed.sig, of: SignedCommand.message(topic: "t/cmd/ping", body: "{}")))
        #expect(!verifier.verifies(signed.sig, of: SignedCommand.message(topic: "t/cmd/pong", body: "{}")))
        #expect(!verifier.verifies(signed.sig, of: SignedCommand.message(topic: "t/cmd/ping", body: "{ }")))
        #expect(!verifier.verifies("AAAA", of: []))
        #expect(SigningKey(pem: "no key") == nil)
        #expect(VerificationKey("c2hvcnQ=") == nil)
    }
}
