import Contract
import Foundation
import Inventory
import MQTT
import SeededRandom
import Synchronization
import Testing

@testable import Receiver

struct ReceiverCoreTests {
    @Test func `shuffled, repeated and lost deliveries and kills leave each event once, in order, and equal stock`()
        throws
    {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = Seeded(seed)
        for _ in 0..<6 {
            let bench = try Bench()
            try bench.deliver(try bench.agent.meta())
            for round in 0..<30 {
                var messages: [(Lane, Int64)] = []
                for _ in 0..<(1 + random.next() % 12) {
                    let lane = Lane.allCases[Int(random.next() % 3)]
                    bench.agent.append("\(random.next() % 9)", Int64(random.next() % 50), lane: lane)
                    messages.append((lane, bench.agent.head(lane)))
                }
                messages.shuffle(using: &random)
                for (lane, sequence) in messages where random.next() % 4 > 0 {
                    for _ in 0...(random.next() % 2) { try bench.deliver(try bench.agent.event(lane, sequence)) }
                }
                if random.next() % 3 == 0 { try bench.commit() }
                if random.next() % 5 == 0 { try bench.deliver(try bench.agent.beacon()) }
                if random.next() % 6 == 0 { try bench.kill() }
                if round % 10 == 9 { try bench.settle(turns: 20) }
            }
            // Of two beacons the first may come while a gap is still being filled.
            for _ in 0..<4 {
                try bench.deliver(try bench.agent.beacon())
                try bench.settle()
            }
            for lane in Lane.allCases {
                #expect(bench.last(lane) == bench.agent.head(lane), "seed \(seed)")
                let printed = try bench.sequences(lane, bench.agent.epoch)
                let once = printed.enumerated().filter { $0.offset == 0 || $0.element != printed[$0.offset - 1] }
                #expect(
                    Set(printed)
                        == Set(bench.agent.head(lane) > 0 ? 1...bench.agent.head(lane) : 1...1).filter {
                            $0 <= bench.agent.head(lane)
                        }, "seed \(seed)")
                #expect(once.count >= Set(printed).count, "seed \(seed)")
            }
            #expect(try bench.stock() == bench.agent.stock, "seed \(seed)")
            #expect(bench.core.standings.first?.root == bench.agent.tree.root().hex, "seed \(seed)")
        }
    }

    @Test func `a site first met in mid-stream is resynced, and what it keeps is asked for`() throws {
        let bench = try Bench()
        for number in 1...20 { bench.agent.append("S\(number)", Int64(number)) }
        bench.agent.pruned[.standard] = 5
        try bench.deliver(try bench.agent.meta())
        try bench.deliver(try bench.agent.beacon(isRetained: true))
        try bench.settle()
        #expect(try bench.sequences(.standard, bench.agent.epoch) == Array(6...20))
        #expect(try bench.stock() == bench.agent.stock)
        #expect(bench.counts.lost == 5 && bench.counts.snapshots >= 1)
        #expect(try bench.log().contains { $0.hasPrefix("lost") })
    }

    @Test func `a lost last event shows in the second beacon, not in the first`() throws {
        let bench = try Bench()
        bench.agent.append("S", 1)
        try bench.deliver(try bench.agent.event(.standard, 1))
        try bench.settle(turns: 5)
        try bench.deliver(try bench.agent.beacon())
        bench.agent.append("S", 2)
        bench.agent.asked = []
        try bench.deliver(try bench.agent.beacon(root: false))
        try bench.settle(turns: 5)
        #expect(bench.last(.standard) == 1 && !bench.agent.asked.contains("replay"))
        try bench.deliver(try bench.agent.beacon(root: false))
        try bench.settle(turns: 5)
        #expect(bench.last(.standard) == 2)
    }

    @Test(arguments: [true, false])
    func `a new epoch is followed, and what lacks of the old one is asked for`(knowsOld: Bool) throws {
        let bench = try Bench()
        for number in 1...6 { bench.agent.append("S\(number)", 1, id: UInt64(number)) }
        for sequence in 1...4 as ClosedRange<Int64> { try bench.deliver(try bench.agent.event(.standard, sequence)) }
        try bench.settle(turns: 5)
        let old = bench.agent.epoch
        bench.agent.begin(Scripted.epoch(2))
        bench.agent.knowsOldEpochs = knowsOld
        // An event that the consumer had, sent again in the new epoch; and one that it had not.
        bench.agent.append("S4", 7, id: 4)
        bench.agent.append("S9", 9, id: 9)
        for sequence in 1...2 as ClosedRange<Int64> { try bench.deliver(try bench.agent.event(.standard, sequence)) }
        try bench.deliver(try bench.agent.meta())
        try bench.settle()
        #expect(try bench.sequences(.standard, old) == (knowsOld ? Array(1...6) : Array(1...4)))
        #expect(try bench.sequences(.standard, bench.agent.epoch) == [2])
        #expect(bench.counts.known == 1 && bench.counts.epochs == 1)
        #expect(try bench.stock() == bench.agent.stock)
        #expect(try bench.log().contains { $0.hasPrefix("lost") } == !knowsOld)
    }

    @Test func `events of a smaller epoch are dropped, and its agent is told of the greater one`() throws {
        let bench = try Bench()
        bench.agent.append("S", 1)
        let old = try bench.agent.event(.standard, 1)
        let oldBeacon = try bench.agent.beacon()
        bench.agent.begin(Scripted.epoch(2))
        bench.agent.append("S", 2)
        try bench.deliver(try bench.agent.event(.standard, 1))
        try bench.settle(turns: 3)
        bench.agent.asked = []
        try bench.deliver(old)
        #expect(bench.counts.received == 1)
        try bench.deliver(oldBeacon)
        try bench.settle(turns: 3)
        #expect(bench.agent.asked.contains("receipt"))
        #expect(try bench.stock() == bench.agent.stock)
    }

    @Test func `another event under a known sequence, or a head below ours, is told as a suspected fork`() throws {
        let bench = try Bench()
        bench.agent.append("S", 1, id: 1)
        try bench.deliver(try bench.agent.event(.standard, 1))
        try bench.settle(turns: 30)
        bench.agent.asked = []
        bench.agent.log[bench.agent.epoch.text] = nil
        bench.agent.append("S", 1, id: 77, bumps: false)
        try bench.deliver(try bench.agent.event(.standard, 1))
        try bench.settle(turns: 3)
        #expect(bench.counts.forks == 1 && bench.agent.asked == ["receipt"])
        bench.agent.log[bench.agent.epoch.text] = nil
        try bench.deliver(try bench.agent.beacon())
        #expect(bench.counts.forks == 2)
    }

    @Test(arguments: 1..<8)
    func `a snapshot that is killed between chunks goes on from its place`(turnsBefore: Int) throws {
        let bench = try Bench()
        for number in 10...40 { bench.agent.append("S\(number)", Int64(number)) }
        bench.agent.keysAPage = 4
        try bench.deliver(try bench.agent.meta())
        for _ in 0..<3 {
            try bench.settle(turns: turnsBefore)
            try bench.kill()
            try bench.deliver(try bench.agent.meta())
        }
        try bench.settle()
        #expect(try bench.stock() == bench.agent.stock)
        #expect(bench.agent.resumed > 0)
    }

    @Test func `a key that the agent does not have is found by hash and removed`() throws {
        let bench = try Bench()
        for number in 10...40 { bench.agent.append("S\(number)", Int64(number)) }
        try bench.deliver(try bench.agent.meta())
        try bench.deliver(try bench.agent.beacon(isRetained: true))
        try bench.settle()
        let gone = StockKey(sku: "S20", location: "A-1")
        let removed = bench.agent.stock.removeValue(forKey: gone)
        let balance = try #require(removed)
        bench.agent.tree.replace(BalanceLine(key: gone, balance: balance).sum, by: nil, in: gone.leaf)
        try bench.deliver(try bench.agent.beacon())
        try bench.settle()
        #expect(try bench.stock() == bench.agent.stock)
        #expect(try bench.log().contains { $0.contains("1 keys are gone") })
    }

    @Test func `a chunk whose hash is wrong is thrown away and asked for again`() throws {
        let bench = try Bench()
        for number in 10...40 { bench.agent.append("S\(number)", Int64(number)) }
        bench.agent.spoilChunks = 2
        try bench.deliver(try bench.agent.meta())
        try bench.settle()
        #expect(bench.agent.spoilChunks == 0)
        #expect(try bench.stock() == bench.agent.stock)
    }

    @Test func `one key that differs is found by hash and mended alone`() throws {
        let bench = try Bench()
        for number in 100...300 { bench.agent.append("S\(number)", Int64(number)) }
        try bench.deliver(try bench.agent.meta())
        try bench.deliver(try bench.agent.beacon(isRetained: true))
        try bench.settle()
        #expect(try bench.stock() == bench.agent.stock)
        bench.agent.append("S200", 999, bumps: false)
        bench.agent.log[bench.agent.epoch.text]?[.standard]?.removeLast()
        bench.agent.asked = []
        try bench.deliver(try bench.agent.beacon())
        try bench.settle()
        #expect(bench.counts.drift == 1)
        #expect(
            bench.agent.asked.filter { $0 == "digest" }.count == 5
                && bench.agent.asked.filter { $0 == "resync" }.count == 1)
        #expect(try bench.stock() == bench.agent.stock)
        #expect(try bench.log().contains { $0.contains("S200") })
    }

    @Test func `a null marks a number as unconfirmed and does not replace it`() throws {
        let bench = try Bench()
        bench.agent.append("S", 5)
        bench.agent.append("S", nil)
        for sequence in 1...2 as ClosedRange<Int64> { try bench.deliver(try bench.agent.event(.standard, sequence)) }
        try bench.settle()
        let line = try #require(try ReceiverView(path: bench.path).stock(site: nil, sku: "S", limit: 10).first)
        #expect(line.figures["unrestricted"] == "5" && line.unconfirmed == ["unrestricted"])
        #expect(bench.core.standings.first?.root == bench.agent.tree.root().hex)
    }

    @Test func `what is committed and not printed is printed after a kill`() throws {
        let bench = try Bench()
        for number in 1...3 { bench.agent.append("S", Int64(number)) }
        for sequence in 1...3 as ClosedRange<Int64> { try bench.deliver(try bench.agent.event(.standard, sequence)) }
        try bench.commit()
        #expect(bench.printed.all.count == 3)
        bench.printed.lines.withLock { $0 = [] }
        try bench.kill()
        #expect(try bench.sequences(.standard, bench.agent.epoch) == [1, 2, 3])
        try bench.commit()
        bench.printed.lines.withLock { $0 = [] }
        try bench.kill()
        #expect(bench.printed.all.isEmpty)
    }

    @Test func `what a run without output takes, as --verify is one, is printed by the next one with it`() throws {
        let bench = try Bench()
        for number in 1...3 { bench.agent.append("S", Int64(number)) }
        try bench.deliver(try bench.agent.event(.standard, 1))
        for _ in 1...2 { try bench.commit() }
        try bench.kill(thenPrints: false)
        for sequence in 2...3 as ClosedRange<Int64> { try bench.deliver(try bench.agent.event(.standard, sequence)) }
        for _ in 1...2 { try bench.commit() }
        #expect(try bench.sequences(.standard, bench.agent.epoch) == [1])
        try bench.kill()
        #expect(try bench.sequences(.standard, bench.agent.epoch) == [1, 2, 3])
    }

    @Test func `when nobody takes the output it stops, and prints the rest at the next start`() throws {
        let bench = try Bench()
        for number in 1...3 { bench.agent.append("S", Int64(number)) }
        for sequence in 1...3 as ClosedRange<Int64> { try bench.deliver(try bench.agent.event(.standard, sequence)) }
        bench.printed.isClosed.store(true, ordering: .relaxed)
        #expect(throws: ReceiverError.self) { try bench.commit() }
        bench.printed.isClosed.store(false, ordering: .relaxed)
        try bench.kill()
        #expect(try bench.sequences(.standard, bench.agent.epoch) == [1, 2, 3])
    }

    @Test func `an agent that does not answer is asked again, ever more rarely`() throws {
        let bench = try Bench()
        bench.agent.answers = false
        bench.agent.append("S", 1)
        bench.agent.append("S", 2)
        try bench.deliver(try bench.agent.event(.standard, 2))
        try bench.settle(turns: 1_200)
        let asked = bench.agent.asked.filter { $0 == "replay" }.count
        #expect((4...20).contains(asked), "\(asked)")
        bench.agent.answers = true
        try bench.settle(turns: 400)
        #expect(bench.last(.standard) == 2)
    }

    @Test(arguments: [
        "", "nonsense", "[]", "{\"v\":1}", "[{\"specversion\":\"1.0\"}]", "{\"cmd_id\":\"x\",\"verb\":\"replay\"}",
    ])
    func `what no agent of this contract sends is counted and skipped`(text: String) throws {
        let bench = try Bench()
        bench.agent.append("S", 1)
        try bench.deliver(try bench.agent.event(.standard, 1))
        for topic in ["ev/standard", "beacon", "meta", "state", "rep/ingest", "rep/other", "ev/express"] {
            try bench.deliver(bench.agent.message("\(bench.agent.topics.root)/\(topic)", Array(text.utf8)))
        }
        try bench.deliver(bench.agent.message("waybill/v1/00/other/dc-7/ev/standard", Array(text.utf8)))
        try bench.settle(turns: 5)
        #expect(bench.last(.standard) == 1)
        #expect(bench.core.foreign >= 2)
    }

    @Test func `replies to what was not asked, and chunks without a beginning, change nothing`() throws {
        let bench = try Bench()
        bench.agent.append("S", 1)
        try bench.deliver(try bench.agent.event(.standard, 1))
        try bench.settle(turns: 5)
        let topic = bench.agent.topics.replies("ingest")
        var reply = CommandReply(id: "no", verb: "resync", status: .progress, at: "x", epoch: bench.agent.epoch.text)
        reply.snapshot = "no"
        reply.chunk = SnapshotChunk(
            first: WireKey(StockKey(sku: "a")), last: WireKey(StockKey(sku: "a")), count: 1, sha256: "x",
            place: SnapshotPlace(
                after: WireKey(StockKey(sku: "a")), keys: 1, lines: "", asof: ByLane { _ in 0 }))
        try bench.deliver(bench.agent.message(topic, try wireBytes(reply)))
        for verb in ["replay", "digest", "receipt", "ping"] {
            try bench.deliver(
                bench.agent.message(
                    topic,
                    try wireBytes(CommandReply(id: "no", verb: verb, status: .rejected, at: "x", epoch: "y"))))
        }
        try bench.settle(turns: 5)
        #expect(try bench.stock() == bench.agent.stock)
    }

    @Test func `sequences and heads beyond all bounds change nothing and crash nothing`() throws {
        let bench = try Bench()
        bench.agent.append("S", 1)
        try bench.deliver(try bench.agent.event(.standard, 1))
        let text = String(decoding: bench.agent.append("S", 2), as: UTF8.self)
        for sequence in ["9223372036854775807", "0017592186044416", "0000000000000000000", "99999999999999999999"] {
            let odd = text.replacingOccurrences(of: "0000000000000000002", with: sequence)
            try bench.deliver(bench.agent.message(bench.agent.topics.events(.standard), Array(odd.utf8)))
        }
        var beacon = try #require(readWire(BeaconAnnouncement.self, from: try bench.agent.beacon().payload))
        for _ in 0..<3 {
            for index in beacon.lanes.indices { (beacon.lanes[index].head, beacon.lanes[index].acked) = (.max, .max) }
            try bench.deliver(bench.agent.message(bench.agent.topics.beacon, try wireBytes(beacon)))
            try bench.settle(turns: 3)
        }
        try bench.settle(turns: 10)
        #expect(bench.last(.standard) == 2)
    }

    @Test func `a second receiver of the same file is refused`() throws {
        let bench = try Bench()
        #expect(throws: ReceiverError.self) { try ReceiverStore(path: bench.path, programVersion: "1") }
    }
}
