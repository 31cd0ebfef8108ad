import Contract
import Foundation
import Inventory
import Testing

@testable import Receiver

/// What an ended epoch still lacks.
struct EndedEpochTests {
    /// So many events of the first epoch exist, of which these were delivered.
    private func bench(_ count: Int, delivered: [Int64]) throws -> Bench {
        let bench = try Bench()
        for number in 1...count { bench.agent.append("S\(number)", 1, id: UInt64(number)) }
        for sequence in delivered { try bench.deliver(try bench.agent.event(.standard, sequence)) }
        return bench
    }

    private func next(_ bench: Bench) throws {
        bench.agent.begin(Scripted.epoch(2))
        bench.agent.append("N", 1, id: 900)
        try bench.deliver(try bench.agent.event(.standard, 1))
    }

    @Test func `what was parked takes its turn though the agent forgot the epoch, and the gap is lost once`() throws {
        let bench = try bench(10, delivered: [1, 2, 3, 4, 6, 7, 8, 9, 10])
        let old = bench.agent.epoch
        try next(bench)
        bench.agent.knowsOldEpochs = false
        try bench.deliver(try bench.agent.meta())
        try bench.settle()
        #expect(try bench.sequences(.standard, old) == [1, 2, 3, 4, 6, 7, 8, 9, 10])
        #expect(try bench.log().filter { $0.hasPrefix("lost") && $0.contains("standard") == false }.isEmpty == false)
        #expect(bench.core.standings.first?.isSettled == true)
        #expect(bench.agent.asked.filter { $0 == "replay" }.count <= 8)
    }

    @Test func `a goal of ordinary life does not hide the tail of an epoch that ended`() throws {
        let bench = try bench(6, delivered: [])
        let old = bench.agent.epoch
        try bench.deliver(try bench.agent.beacon(isRetained: true))
        try bench.settle(turns: 10)
        #expect(bench.last(.standard) == 6)
        for number in 7...9 { bench.agent.append("S\(number)", 1, id: UInt64(number)) }
        try next(bench)
        try bench.deliver(try bench.agent.meta())
        try bench.settle()
        #expect(try bench.sequences(.standard, old) == Array(1...9))
    }

    @Test func `a kill before the birth certificate of the new epoch does not forget the old one`() throws {
        let bench = try bench(6, delivered: [1, 2])
        let old = bench.agent.epoch
        try next(bench)
        try bench.commit()
        try bench.kill()
        try bench.deliver(try bench.agent.meta())
        try bench.settle()
        #expect(Set(try bench.sequences(.standard, old)) == Set(1...6))
        try bench.kill()
        #expect(bench.core.standings.first?.isSettled == true)
    }

    @Test func `an epoch that the birth certificate does not name is asked for to its end`() throws {
        let bench = try bench(30, delivered: [1])
        let old = bench.agent.epoch
        try bench.settle(turns: 3)
        bench.agent.begin(Scripted.epoch(2))
        bench.agent.begin(Scripted.epoch(3))
        bench.agent.append("N", 1, id: 900)
        try bench.deliver(try bench.agent.event(.standard, 1))
        try bench.deliver(try bench.agent.meta())
        try bench.settle()
        #expect(try bench.sequences(.standard, old) == Array(1...30))
        #expect(bench.core.standings.first?.isSettled == true)
    }

    @Test func `what is parked in the old epoch and came in the new one has one effect`() throws {
        let bench = try bench(7, delivered: [1, 2, 3, 4, 5, 7])
        let old = bench.agent.epoch
        // The agent moved 7 into the new epoch: it was not acked.
        bench.agent.log[old.text]?[.standard]?.removeLast()
        bench.agent.begin(Scripted.epoch(2))
        bench.agent.append("S7", 1, id: 7, bumps: false)
        try bench.deliver(try bench.agent.event(.standard, 1))
        try bench.deliver(try bench.agent.meta())
        try bench.settle()
        let ids = try bench.printed.all.flatMap { try EventReader.read(Array($0.utf8)) }.map(\.id)
        #expect(ids.count == 7 && Set(ids).count == 7)
    }

    @Test func `a snapshot that a technician began and that stalls holds up no other`() throws {
        let bench = try bench(3, delivered: [1, 2, 3])
        try bench.settle(turns: 10)
        let topic = bench.agent.topics.replies("ingest")
        let begin = bench.agent.encoder.encodeSnapshotBegin(
            "00000000-0000-4000-8000-000000000001", scope: SnapshotScope(), epoch: bench.agent.epoch,
            asof: ByLane { _ in 0 }, now: Timestamp(milliseconds: 0))
        try bench.deliver(bench.agent.message(topic, begin))
        #expect(bench.core.standings.first?.isSettled == false)
        try bench.settle(turns: 100)
        #expect(bench.core.standings.first?.isSettled == true)
    }

    @Test func `what is to be resynced is not forgotten by a kill`() throws {
        let bench = try Bench()
        bench.agent.answers = false
        for number in 1...5 { bench.agent.append("S\(number)", 1) }
        bench.agent.append("ONLY", 3)
        try bench.deliver(try bench.agent.meta())
        try bench.settle(turns: 2)
        bench.agent.answers = true
        try bench.kill()
        try bench.settle(turns: 100)
        #expect(try bench.stock() == bench.agent.stock)
    }

    @Test func `a receipt counts once it is answered`() throws {
        let bench = try bench(3, delivered: [1, 2, 3])
        bench.agent.answers = false
        try bench.settle(turns: 30)
        let asked = bench.agent.asked.filter { $0 == "receipt" }.count
        bench.agent.answers = true
        try bench.settle(turns: 200)
        #expect(bench.agent.asked.filter { $0 == "receipt" }.count > asked)
        let after = bench.agent.asked.filter { $0 == "receipt" }.count
        try bench.settle(turns: 100)
        #expect(bench.agent.asked.filter { $0 == "receipt" }.count == after)
    }
}
