import Contract
import Delivery
import Foundation
import Inventory
import MQTT
import Outbox
import OwnThread
import Testing

@testable import Agent

/// What an agent answers on `rep/`, over a real broker.
@Suite(.ownThread) struct CommandsOnWireTests {
    private func play(
        _ settings: @escaping @Sendable (inout DeliverySettings) -> Void = { _ in },
        options: @escaping @Sendable (inout OutboxOptions) -> Void = { _ in },
        broker: String = "", count: Int = 250,
        _ body: @escaping @Sendable (PublishingSite, Requester, Centre) throws -> Void
    ) throws {
        try Stage.set(broker) { directory, broker, centre in
            let site = try PublishingSite(directory + "/a", options)
            if count > 0 { try site.capture(Stage.names(1...count)) { "SKU-\($0.suffix(1))" } }
            try site.start(ports: [broker.port], { _ in }, settings)
            defer { site.stop() }
            #expect(Stage.wait { site.acked() == count })
            let requester = try Requester(port: broker.port, site: try PublishingSite.identity())
            defer { requester.stop() }
            try body(site, requester, centre)
        }
    }

    private func range(_ from: Int64, _ to: Int64, _ epoch: Epoch) -> (inout CommandRequest) -> Void {
        { request in
            request.lane = "standard"
            request.epoch = epoch.text
            (request.from, request.to) = (from, to)
        }
    }

    @Test func `a ping tells version, clock, epoch and heads, under its own correlation`() throws {
        try play { site, requester, _ in
            let id = try requester.ask(.ping)
            let reply = try #require(requester.end(of: id))
            #expect(reply.status == .done && reply.epoch == site.outbox.progress.epoch.text && reply.agent == "1.0.0")
            #expect(
                reply.lanes?.first { $0.name == "standard" }
                    == .init(name: "standard", head: 250, acked: 250, oldest: 1))
            #expect(requester.all.replies.first?.correlation == id)
            #expect(abs(try #require(Timestamp(rfc3339: reply.at)).milliseconds - Clocks.wall().milliseconds) < 60_000)
        }
    }

    @Test func `a replay gives the stored bytes again, in order and by pages`() throws {
        try play { site, requester, _ in
            let epoch = site.outbox.progress.epoch
            let id = try requester.ask(.replay, range(3, 250, epoch))
            let reply = try #require(requester.end(of: id))
            #expect(reply.status == .done && reply.sent == 248 && reply.last == 250 && reply.next == nil)
            let events = try requester.all.messages.flatMap { payload in
                try EventReader.read(payload).map { Array(payload[$0.range]) }
            }
            let stored = try site.outbox.reader().page(lane: .standard, after: 2, limit: 512).map(\.payload)
            #expect(events == stored)
            let words = try site.outbox.reader().audit().map { "\($0.actor) \($0.action) \($0.outcome)" }
            #expect(words.contains("requester ingest replay accepted"))
            #expect(words.contains("requester ingest replay done: 248 events"))
        }
    }

    @Test func `one request yields at most 100 messages, and says where to go on`() throws {
        try play(count: 0) { site, requester, _ in
            let text = String(repeating: "x", count: 60_000)
            for part in 0..<11 { try site.capture(Stage.names(part * 10 + 1...part * 10 + 10), text: text) }
            #expect(Stage.wait { site.acked() == 110 })
            let id = try requester.ask(.replay, range(1, 110, site.outbox.progress.epoch))
            let reply = try #require(requester.end(of: id))
            #expect(requester.all.messages.count == 100 && reply.next == 101)
        }
    }

    @Test func `the same command gets its stored reply, and no events again`() throws {
        try play { site, requester, _ in
            let change = range(1, 5, site.outbox.progress.epoch)
            let id = try requester.ask(.replay, change)
            #expect(requester.end(of: id)?.sent == 5)
            let before = requester.all.messages.count
            try requester.ask(.replay, id: id, change)
            #expect(Stage.wait { requester.replies(to: id).filter { $0.status == .done }.count == 2 })
            #expect(requester.all.messages.count == before)
            let bytes = requester.all.replies.filter { $0.reply.status == .done }.map(\.bytes)
            #expect(bytes[0] == bytes[1])
        }
    }

    @Test func `what cannot be replayed is refused with its code`() throws {
        try play { site, requester, _ in
            let epoch = site.outbox.progress.epoch
            let unknown = try #require(Epoch("20200101T000000Z-0000"))
            let cases: [(Int64, Int64, Epoch, RejectionCode)] = [
                (9, 3, epoch, .malformed), (0, 3, epoch, .malformed), (1, 1_000_000_000, epoch, .tooLarge),
                (1, 3, unknown, .unknownEpoch),
            ]
            for (from, to, of, code) in cases {
                let reply = try #require(requester.end(of: try requester.ask(.replay, range(from, to, of))))
                #expect(reply.code == code, "\(from)-\(to): \(reply)")
            }
            #expect(requester.all.messages.isEmpty)
            let beyond = try #require(requester.end(of: try requester.ask(.replay, range(251, 300, epoch))))
            #expect(beyond.status == .done && beyond.sent == 0 && beyond.next == nil)
        }
    }

    @Test func `a pruned range is refused with the oldest sequence that is kept`() throws {
        try play(options: { $0.keepMilliseconds = 0 }) { site, requester, _ in
            while try site.outbox.prune(now: Clocks.wall()) > 0 {}
            try site.capture(Stage.names(1_001...1_003))
            #expect(Stage.wait { site.acked() == 253 })
            let reply = try #require(
                requester.end(of: try requester.ask(.replay, range(1, 3, site.outbox.progress.epoch))))
            #expect(reply.code == .rangePruned && reply.oldest == 251)
        }
    }

    @Test func `who is not on the list, stale, oversized, malformed or beside its topic is refused and audited`()
        throws
    {
        try play { site, requester, _ in
            let old = Timestamp(milliseconds: Clocks.wall().milliseconds - 6 * 60_000)
            #expect(requester.end(of: try requester.ask(.ping, as: "mallory"))?.code == .denied)
            let stale = try #require(requester.end(of: try requester.ask(.ping, issuedAt: old)))
            #expect(stale.code == .stale && Timestamp(rfc3339: stale.at) != nil)
            #expect(requester.end(of: try requester.ask(.digest) { $0.node = "XYZ" })?.code == .malformed)
            #expect(requester.end(of: try requester.ask(.receipt) { $0.lane = "standard" })?.code == .malformed)
            let topics = requester.topics
            for topic in [
                "\(topics.root)/ev/standard", "\(topics.root)/rep/ops", "\(topics.root)/rep/+", "elsewhere/x",
            ] {
                let id = try requester.ask(.ping, responseTopic: topic)
                #expect(requester.end(of: id)?.code == .malformed, "\(topic)")
            }
            requester.send(Array("{".utf8), verb: "ping", to: topics.replies("ingest"))
            requester.send(Array(repeating: 0x20, count: 20_000), verb: "replay", to: topics.replies("ingest"))
            requester.send(
                Array(repeating: UInt8(ascii: "["), count: 10_000), verb: "digest", to: topics.replies("ingest"))
            #expect(Stage.wait { requester.replies(to: "").filter { $0.code == .malformed }.count == 3 })
            let id = UUID().uuidString.lowercased()
            let odd = CommandRequest(id: id, requester: "ingest", issuedAt: Clocks.wall().description)
            requester.send(try wireBytes(odd), verb: "explode", to: topics.replies("ingest"))
            #expect(requester.end(of: id)?.code == .malformed)
            let audit = try site.outbox.reader().audit()
            for code in ["DENIED", "STALE", "MALFORMED"] {
                #expect(audit.contains { $0.outcome.hasPrefix("rejected \(code)") }, "\(audit)")
            }
            #expect(requester.end(of: try requester.ask(.ping))?.status == .done)
        }
    }

    @Test func `with keys only a command that one of them signed for this very topic is done`() throws {
        let pem = """
            -----BEGIN PRIVATE KEY-----
            MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
            -----END PRIVATE KEY-----
            """
        try play({ $0.commands.keys = ["11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="] }) { site, requester, _ in
            let key = try #require(SigningKey(pem: pem))
            #expect(requester.end(of: try requester.ask(.ping))?.code == .denied)
            #expect(requester.end(of: try requester.ask(.ping, key: key))?.status == .done)
            let id = UUID().uuidString.lowercased()
            let body = try wireBytes(CommandRequest(id: id, requester: "ingest", issuedAt: Clocks.wall().description))
            let other = key.sign(
                body: String(decoding: body, as: UTF8.self), topic: requester.topics.command(.digest))
            requester.send(
                try wireBytes(try #require(other)), verb: "ping", to: requester.topics.replies("ingest"))
            #expect(requester.end(of: id)?.code == .denied)
        }
    }

    @Test func `a thousand commands a second are answered or refused, and make few audit entries`() throws {
        try play { site, requester, _ in
            var ids: [String] = []
            for _ in 0..<1_000 { ids.append(try requester.ask(.ping)) }
            #expect(Stage.wait { requester.all.replies.count >= 1_000 }, "\(requester.all.replies.count)")
            let busy = requester.all.replies.filter { $0.reply.code == .busy }.count
            #expect(busy > 500 && requester.all.replies.count - busy >= 40)
            #expect(try site.outbox.reader().audit(limit: 1_000).count < 5)
            try site.capture(["T-9999"])
            #expect(Stage.wait { site.acked() == 251 })
        }
    }

    @Test func `receipts are stored, shown in the beacon, and hold what is pruned`() throws {
        try play(
            { $0.waitReceipt = "ingest" },
            options: { options in
                options.keepMilliseconds = 0
                options.waitReceipt = "ingest"
            }
        ) { site, requester, centre in
            let epoch = site.outbox.progress.epoch
            #expect(try site.outbox.prune(now: Clocks.wall()) == 0)
            let id = try #require(try site.outbox.reader().eventID(lane: .standard, of: epoch, sequence: 200))
            let asked = try requester.ask(.receipt) { request in
                (request.lane, request.epoch, request.sequence, request.event) = (
                    "standard", epoch.text, 200, id.description
                )
            }
            #expect(requester.end(of: asked)?.sequence == 200)
            #expect(try site.outbox.receipts.first?.sequence == 200)
            let marks = try site.outbox.reader().marks(lane: .standard, of: epoch, sequence: 200)
            #expect(Set(marks.map(\.who)) == ["", "ingest"])
            while try site.outbox.prune(now: Timestamp(milliseconds: Clocks.wall().milliseconds + 1_000)) > 0 {}
            #expect(try site.outbox.reader().epoch(epoch)?.lanes[.standard].oldest == 201)
        }
    }

    @Test func `a receipt of another event, or beyond the head, is a fork: a new epoch begins`() throws {
        try play { site, requester, centre in
            let epoch = site.outbox.progress.epoch
            let wrong = try requester.ask(.receipt) { request in
                (request.lane, request.epoch, request.sequence) = ("standard", epoch.text, 7)
                request.event = "00000000-0000-8000-8000-000000000001"
            }
            #expect(requester.end(of: wrong)?.code == .fork)
            #expect(Stage.wait { site.outbox.progress.epoch > epoch })
            #expect(Stage.wait { centre.metas.contains { $0.contains(#""previous":{"epoch":"\#(epoch.text)""#) } })
            #expect(try site.outbox.reader().audit().contains { $0.action == "epoch" && $0.outcome.contains("fork") })
            let second = site.outbox.progress.epoch
            try site.capture(["N-1"])
            #expect(Stage.wait { site.acked() == 1 })
            let beyond = try requester.ask(.receipt) { request in
                (request.lane, request.epoch, request.sequence) = ("standard", second.text, 99)
                request.event = "00000000-0000-8000-8000-000000000001"
            }
            #expect(requester.end(of: beyond)?.code == .fork)
            #expect(Stage.wait { site.outbox.progress.epoch > second })
        }
    }

    @Test func `an epoch that a consumer knows and the agent does not is answered by a greater one`() throws {
        try play { site, requester, _ in
            let later = "21001231T000000Z-0000"
            let id = try requester.ask(.receipt) { request in
                (request.lane, request.epoch, request.sequence) = ("standard", later, 7)
                request.event = "00000000-0000-8000-8000-000000000001"
            }
            #expect(requester.end(of: id)?.code == .unknownEpoch)
            #expect(site.outbox.progress.epoch.text > later)
        }
    }

    @Test func `a consumer that is wrong again and again cannot use up the epochs`() throws {
        try play { site, requester, _ in
            var codes: [RejectionCode?] = []
            for number in 1...7 {
                // With each new epoch the agent connects anew, and does not hear what is said meanwhile.
                var answer: CommandReply?
                for _ in 0..<20 where answer == nil {
                    let id = try requester.ask(.receipt) { request in
                        (request.lane, request.epoch, request.sequence) = (
                            "standard", "2\(number)001231T000000Z-0000", 7
                        )
                        request.event = "00000000-0000-8000-8000-000000000001"
                    }
                    Demo.wait(until: Clocks.monotonic() + 1_000) { !requester.replies(to: id).isEmpty }
                    answer = requester.replies(to: id).last
                }
                codes.append(answer?.code)
            }
            #expect(codes == Array(repeating: .unknownEpoch, count: 5) + [.busy, .busy])
            #expect(try site.outbox.reader().epochs().count == 6)
        }
    }

    @Test func `an epoch after which there is none is refused, and the outbox stays as it is`() throws {
        try play { site, requester, _ in
            let epoch = site.outbox.progress.epoch
            for text in ["99991231T235959Z-fffe", "99990101T000000Z-0000"] {
                let id = try requester.ask(.ping) { $0.epoch = text }
                #expect(requester.end(of: id)?.code == .malformed)
            }
            #expect(site.outbox.progress.epoch == epoch && site.outbox.asides.isEmpty)
            let end = try #require(Epoch("99991231T235959Z-fffe"))
            #expect(throws: OutboxError.self) {
                try site.outbox.startEpoch(above: [end], reason: "test", now: Clocks.wall())
            }
            #expect(site.outbox.progress.epoch == epoch && site.outbox.asides.isEmpty)
        }
    }

    @Test func `a resume whose counts no snapshot has is refused`() throws {
        try play { site, requester, _ in
            let epoch = site.outbox.progress.epoch.text
            let id = try requester.ask(.resync) { request in
                (request.snapshot, request.epoch) = ("00000000-0000-8000-8000-000000000001", epoch)
                request.resume = SnapshotPlace(
                    after: WireKey(StockKey(sku: "A")), keys: .max, lines: LineSum.zero.description,
                    asof: ByLane { _ in 0 })
            }
            #expect(requester.end(of: id)?.code == .malformed)
        }
    }

    @Test func `a snapshot of several requests ends with the heads that it began with`() throws {
        try Stage.set { directory, broker, centre in
            let site = try PublishingSite(directory + "/a")
            try site.capture(Stage.names(1...5_000)) { "SKU-\($0)" }
            try site.start(ports: [broker.port])
            defer { site.stop() }
            #expect(Stage.wait { site.acked() == 5_000 })
            let requester = try Requester(port: broker.port, site: try PublishingSite.identity())
            defer { requester.stop() }
            let epoch = site.outbox.progress.epoch.text
            let first = try requester.ask(.resync)
            let place = try #require(requester.end(of: first)?.resume)
            #expect(place.keys == 4_800 && place.asof == ["critical": 0, "standard": 5_000, "bulk": 0])
            try site.capture(["later"]) { _ in "Z" }
            let second = try requester.ask(.resync) {
                ($0.snapshot, $0.epoch, $0.resume) = (first, epoch, place)
            }
            #expect(requester.end(of: second)?.sent == 5_001)
            let totals = try requester.all.messages.flatMap { try EventReader.read($0) }.compactMap(\.snapshotTotals)
            #expect(totals.map { $0.asof[.standard] } == [5_000, 5_000] && totals.last?.keys == 5_001)
        }
    }

    @Test func `who is not listed cannot use up the commands of who is`() throws {
        try play(count: 1) { _, requester, _ in
            for _ in 1...400 { try requester.ask(.ping, as: "stranger") }
            let id = try requester.ask(.ping)
            #expect(requester.end(of: id)?.status == .done)
        }
    }

    @Test func `a repair of which the broker refuses the last message has failed`() throws {
        let list = "topic readwrite #\ntopic deny waybill/v1/+/acme/dc-7/rep/nobody\n"
        try Stage.set(accessList: list) { directory, broker, _ in
            let site = try PublishingSite(directory + "/a")
            try site.capture(Stage.names(1...5))
            try site.start(ports: [broker.port])
            defer { site.stop() }
            #expect(Stage.wait { site.acked() == 5 })
            let order = RepairOrder(
                work: .replay(
                    lane: .standard, epoch: site.outbox.progress.epoch, sequences: 1...5, to: .requester("nobody")),
                actor: "user anna (1000)")
            let state = try #require(site.board.place(order))
            #expect(Stage.wait { [.done, .failed].contains(site.board.state(state.id)?.status) })
            #expect(site.board.state(state.id)?.status == .failed)
            // A Mosquitto whose queues have no limit closes after the refusal, at times before it can be read.
            let reason = site.board.state(state.id)?.reason ?? ""
            #expect(reason.contains("refused an answer (0x87)") || reason.contains("lost 3 times"), "\(reason)")
            #expect(try site.outbox.reader().audit().contains { $0.outcome.hasPrefix("failed after") })
        }
    }

    @Test func `the tree's root in the beacon is what a digest gives`() throws {
        try play { site, requester, centre in
            let reply = try #require(requester.end(of: try requester.ask(.digest) { $0.node = "" }))
            #expect(reply.children?.count == 16 && reply.hash?.count == 64)
            #expect(Stage.wait { centre.roots.last == reply.hash })
            let key = StockKey(sku: "SKU-3", location: "L")
            let leaf = try #require(
                requester.end(of: try requester.ask(.digest) { $0.node = TreeNode.leaf(key.leaf).description }))
            let stored = try #require(try site.outbox.reader().stock(sku: "SKU-3").first)
            #expect(leaf.lines == [.init(key: WireKey(key), version: 25, hash: stored.sum.description)])
        }
    }

    @Test func `a technician's replay goes to the lane, again with the same bytes`() throws {
        try play { site, requester, centre in
            // The broker acknowledges before the centre has them.
            #expect(Stage.wait { centre.events.count == 250 })
            let order = RepairOrder(
                work: .replay(lane: .standard, epoch: site.outbox.progress.epoch, sequences: 1...120, to: .lane),
                actor: "user anna (1000)")
            let state = try #require(site.board.place(order))
            #expect(Stage.wait { site.board.state(state.id)?.status == .done })
            #expect(site.board.state(state.id)?.sent == 120)
            #expect(Stage.wait { centre.events.count == 370 })
            #expect(
                try site.outbox.reader().audit().contains {
                    $0.actor == "user anna (1000)" && $0.outcome.hasPrefix("done")
                })
        }
    }
}
