import CFaultVFS
import Foundation
import Inventory
import Outbox
import OwnThread
import Testing

// Beside `CrashTests` and one after the other with it, since the shim is one for the process.

extension CrashTests {
    private static let acked: Int64 = 50

    /// 700 events, of which 50 are acked: two pages to move. The ids of the others in their order.
    private func fill(_ temporary: TemporaryOutbox, _ outbox: Outbox) throws -> [String] {
        try temporary.fill(outbox, 700)
        try outbox.acknowledge([.standard: Self.acked])
        return try temporary.payloads(outbox).dropFirst(Int(Self.acked)).map { try member("id", of: $0) }
    }

    /// Whatever the epoch, what is not acked is there once, in order, under contiguous sequences.
    private func expectWhole(
        _ temporary: TemporaryOutbox, _ outbox: Outbox, _ ids: [String], _ place: Comment
    ) throws {
        let lane = outbox.progress.lanes[.standard]
        let waiting = try temporary.payloads(outbox).dropFirst(lane.acked > 0 ? Int(Self.acked) : 0)
        #expect(outbox.asides.isEmpty, place)
        #expect(lane.head - lane.acked == Int64(ids.count), place)
        #expect(try waiting.map { try member("id", of: $0) } == ids, place)
        let sequences = try waiting.map { try Int64(member("sequence", of: $0)) }
        #expect(sequences == Array(lane.acked + 1...lane.head), place)
        #expect(try waiting.allSatisfy { try member("epoch", of: $0) == outbox.progress.epoch.text }, place)
    }

    @Test(.timeLimit(.minutes(5)))
    func `a power cut within the move to a new epoch loses, repeats and reorders nothing`() throws {
        let temporary = try TemporaryOutbox()
        waybill_fault_reset(0, 0, 1)
        let outbox = try temporary.open { $0.vfs = WAYBILL_FAULT_VFS }
        let ids = try fill(temporary, outbox)
        let begun = waybill_fault_count()
        _ = try outbox.startEpoch(above: [], reason: "test", now: temporary.now)
        let operations = (0..<waybill_fault_count()).map(waybill_fault_get)
        var disk = Disk()
        var cuts = 0
        for (index, operation) in operations.enumerated() {
            disk.apply(operation)
            guard index >= begun, index % 7 == 0 || Int(operation.kind) == WAYBILL_OP_SYNC else { continue }
            for files in disk.possibleFiles {
                let copy = try TemporaryOutbox()
                for (file, bytes) in files where !bytes.isEmpty {
                    try Data(bytes).write(to: URL(fileURLWithPath: copy.path + file.suffix))
                }
                try expectWhole(copy, try copy.open(), ids, "cut after operation \(index + 1) of \(operations.count)")
                cuts += 1
            }
        }
        #expect(cuts > 50)
        print("crash: \(operations.count - begun) writes and syncs of a new epoch, \(cuts) possible disks")
        withExtendedLifetime(outbox) {}
    }

    @Test(.timeLimit(.minutes(5)), arguments: [Int32(778), 13])
    func `an I/O error or a full disk within the move is made good by the next call`(code: Int32) throws {
        var operation = 1
        var failures = 0
        while true {
            let temporary = try TemporaryOutbox()
            let outbox = try temporary.open { $0.vfs = WAYBILL_FAULT_VFS }
            let ids = try fill(temporary, outbox)
            waybill_fault_reset(operation, code, 0)
            _ = try? outbox.startEpoch(above: [], reason: "test", now: temporary.now)
            let hasFailed = waybill_fault_count() >= operation
            waybill_fault_reset(0, 0, 0)
            _ = try outbox.lastBeacon()
            try expectWhole(temporary, outbox, ids, "operation \(operation) failed with \(code)")
            if !hasFailed { break }
            failures += 1
            operation += 11
        }
        #expect(failures > 10)
    }
}
