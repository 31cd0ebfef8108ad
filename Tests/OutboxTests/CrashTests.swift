import CFaultVFS
import Foundation
import Inventory
import Outbox
import OwnThread
import Testing

// What a power cut leaves. A shim below SQLite notes every write, truncation and sync of a scenario of 200 records.
// For each of them the files are built as a disk could hold them right after it: all that was synced, and of what was
// not none, all, all with the last write torn, or every second write. The outbox opens each of these, and its
// invariants hold: what was promised before is there, what commits together is there together, nothing is there twice.

/// A scenario: batches with a reject each, acks in between.
private struct Scenario {
    static let batches = 8
    static let recordsPerBatch = 25
    let site: SiteIdentity
    let now = Timestamp(year: 2026, month: 11, day: 23, hour: 9)

    init() throws { site = try #require(SiteIdentity(tenant: "acme", site: "dc-7")) }

    func options(_ directory: String, vfs: String?) -> OutboxOptions {
        var rules = InventoryRules()
        rules.baselineZero = true
        var options = OutboxOptions(directory: directory, site: site, rules: rules, programVersion: "1.0.0")
        options.vfs = vfs
        options.reserveBytes = 0
        return options
    }

    /// The first record of each batch is rejected, so 24 events a batch.
    func batch(_ number: Int) throws -> CaptureBatch {
        let records = try (0..<Self.recordsPerBatch).map { index in
            let name = "T-\(number * Self.recordsPerBatch + index)"
            return index == 0 ? rejected(name) : try received(name)
        }
        return CaptureBatch(
            source: "moves", records: records,
            checkpoint: Checkpoint(kind: "tail", text: "\(number + 1)", position: "\(number + 1)"))
    }

    private func rejected(_ name: String) -> CapturedRecord {
        let identity = RecordIdentity(text: name, recordHash: Digest(sha256: name), isTracked: false)
        return CapturedRecord(
            identity: identity, outcome: .reject(RejectReason(code: "unmapped", message: "x")),
            bytes: Array(name.utf8)[...],
            position: RecordPosition(object: "f", offset: 0))
    }

    private func received(_ name: String) throws -> CapturedRecord {
        let hash = Digest(sha256: name)
        let identity = RecordIdentity(text: name, recordHash: hash, isTracked: true)
        let derived = EventID.derive(site: site, source: "moves", record: identity, type: .received, n: 0)
        let origin = Origin(source: "moves", kind: "tail", object: "f", position: "0", key: name, recordHash: hash)
        var draft = EventDraft(
            id: derived.id, type: .received, sku: "A", origin: origin, occurredAt: now, timeQuality: .exact,
            capturedAt: now, mappingVersion: "0", traceparent: derived.traceparent)
        let one = try Quantity("1")
        draft.changes = [StockChange(key: StockKey(sku: "A", location: "L"), bucket: .unrestricted, delta: one)]
        return CapturedRecord(
            identity: identity, outcome: .events([draft]), bytes: Array(name.utf8)[...],
            position: RecordPosition(object: "f", offset: 0))
    }

    /// Runs all of it; `promised` hears how many batches and acks are durable after each call that returned.
    func run(_ outbox: Outbox, promised: (_ batches: Int, _ acked: Int64) -> Void) throws {
        var acked: Int64 = 0
        for number in 0..<Self.batches {
            _ = try outbox.append([try batch(number)], now: now)
            promised(number + 1, acked)
            guard number % 2 == 1 else { continue }
            acked = Int64((number + 1) * 24 - 5)
            try outbox.acknowledge([.standard: acked])
            promised(number + 1, acked)
        }
    }
}

@Suite(.serialized, .ownThread) struct CrashTests {
    private let scenario: Scenario

    init() throws {
        scenario = try Scenario()
        waybill_fault_register()
    }

    /// In memory where that is there: the shim decides what is durable, not this machine's disk.
    private static func directory() throws -> String {
        let base = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
        let path = base + "/waybill-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    private struct Promise {
        var operation: Int
        var batches: Int
        var acked: Int64
    }

    @Test(.timeLimit(.minutes(5)))
    func `after a power cut at any write or sync the invariants hold`() throws {
        let home = try Self.directory()
        defer { try? FileManager.default.removeItem(atPath: home) }
        waybill_fault_reset(0, 0, 1)
        let outbox = try Outbox(scenario.options(home, vfs: WAYBILL_FAULT_VFS), now: scenario.now)
        var promises = [Promise(operation: waybill_fault_count(), batches: 0, acked: 0)]
        try scenario.run(outbox) {
            promises.append(Promise(operation: waybill_fault_count(), batches: $0, acked: $1))
        }
        let operations = (0..<waybill_fault_count()).map(waybill_fault_get)
        var disk = Disk()
        var cuts = 0
        for (index, operation) in operations.enumerated() {
            disk.apply(operation)
            let kept = promises.last { $0.operation <= index + 1 }
            for files in disk.possibleFiles {
                try check(files, promise: kept, "cut after operation \(index + 1) of \(operations.count)")
                cuts += 1
            }
        }
        #expect(promises.last?.batches == Scenario.batches)
        print("crash: \(operations.count) writes and syncs, \(cuts) possible disks, every one consistent")
        withExtendedLifetime(outbox) {}
    }

    private func check(_ files: [Disk.File: [UInt8]], promise: Promise?, _ place: Comment) throws {
        let directory = try Self.directory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for (file, bytes) in files where !bytes.isEmpty {
            try Data(bytes).write(to: URL(fileURLWithPath: directory + "/outbox.sqlite" + file.suffix))
        }
        let outbox = try Outbox(scenario.options(directory, vfs: nil), now: scenario.now)
        guard let promise else { return }
        #expect(outbox.asides.isEmpty, place)
        try expectInvariants(outbox, atLeast: promise, place)
    }

    private func expectInvariants(_ outbox: Outbox, atLeast promise: Promise, _ place: Comment) throws {
        let reader = try outbox.reader()
        let batches = Int(try outbox.checkpoint(of: "moves")?.text ?? "0") ?? -1
        #expect(batches >= promise.batches && batches <= Scenario.batches, place)
        let lane = outbox.progress.lanes[.standard]
        #expect(lane.head == Int64(batches * 24), place)
        #expect(lane.acked >= promise.acked && lane.acked <= lane.head, place)
        let events = try reader.page(lane: .standard, after: 0, limit: 512)
        #expect(events.map(\.sequence) == Array(1...max(1, lane.head)).prefix(Int(lane.head)).map { $0 }, place)
        #expect(try reader.openRejects() == Int64(batches), place)
        if let last = events.last {
            let line = #""version":\#(lane.head),"unrestricted":"\#(lane.head)""#
            #expect(String(decoding: last.payload, as: UTF8.self).contains(line), place)
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: [Int32(778), 13])
    func `after an I/O error or a full disk at any write or sync every record is there once`(code: Int32) throws {
        // SQLITE_IOERR_WRITE (EIO) and SQLITE_FULL (ENOSPC).
        var failures = 0
        var operation = 1
        while true {
            let home = try Self.directory()
            defer { try? FileManager.default.removeItem(atPath: home) }
            let outbox = try Outbox(scenario.options(home, vfs: WAYBILL_FAULT_VFS), now: scenario.now)
            waybill_fault_reset(operation, code, 0)
            var errors = 0
            while try !isDone(outbox), errors < 20 {
                // As capture does: on an error everything is read again from the stored checkpoint.
                do { try goOn(outbox) } catch { errors += 1 }
            }
            let hasFailed = waybill_fault_count() >= operation
            waybill_fault_reset(0, 0, 0)
            let all = Promise(operation: 0, batches: Scenario.batches, acked: 0)
            try expectInvariants(outbox, atLeast: all, "operation \(operation) failed with \(code)")
            #expect(outbox.asides.isEmpty, "operation \(operation)")
            if !hasFailed { break }
            failures += 1
            operation += 1
        }
        #expect(failures > 50)
        print("crash: \(failures) operations failed with \(code), each time every record was there once")
    }

    private func stored(_ outbox: Outbox) throws -> Int { Int(try outbox.checkpoint(of: "moves")?.text ?? "0") ?? 0 }

    private func isDone(_ outbox: Outbox) throws -> Bool {
        (try? stored(outbox)) == Scenario.batches
    }

    private func goOn(_ outbox: Outbox) throws {
        for number in try stored(outbox)..<Scenario.batches {
            _ = try outbox.append([try scenario.batch(number)], now: scenario.now)
        }
    }
}

/// Two files as a disk may hold them: what was synced, and writes that were not yet.
struct Disk {
    enum File: Int32, CaseIterable {
        case main = 0
        case wal = 1

        var suffix: String { self == .main ? "" : "-wal" }
    }

    private enum Change {
        case write(offset: Int, bytes: [UInt8])
        case truncate(size: Int)
    }

    private var synced: [File: [UInt8]] = [.main: [], .wal: []]
    private var pending: [File: [Change]] = [:]

    mutating func apply(_ operation: waybill_fault_op) {
        guard let file = File(rawValue: operation.file) else { return }
        switch Int(operation.kind) {
        case WAYBILL_OP_WRITE:
            let bytes = Array(UnsafeBufferPointer(start: operation.bytes, count: Int(operation.length)))
            pending[file, default: []].append(.write(offset: Int(operation.offset), bytes: bytes))
        case WAYBILL_OP_TRUNCATE: pending[file, default: []].append(.truncate(size: Int(operation.offset)))
        default:
            for change in pending[file] ?? [] { Self.perform(change, on: &synced[file, default: []]) }
            pending[file] = []
        }
    }

    /// Nothing unsynced, all of it, all with the last write torn in half, every second write.
    var possibleFiles: [[File: [UInt8]]] {
        guard pending.values.contains(where: { !$0.isEmpty }) else { return [synced] }
        return [
            synced, with { $0 },
            with { changes in
                guard case .write(let offset, let bytes)? = changes.last else { return changes }
                return changes.dropLast() + [.write(offset: offset, bytes: Array(bytes.prefix(bytes.count / 2)))]
            },
            with { changes in changes.enumerated().filter { $0.offset % 2 == 1 }.map(\.element) },
        ]
    }

    private func with(_ choose: ([Change]) -> [Change]) -> [File: [UInt8]] {
        var files = synced
        for (file, changes) in pending {
            for change in choose(changes) { Self.perform(change, on: &files[file, default: []]) }
        }
        return files
    }

    private static func perform(_ change: Change, on bytes: inout [UInt8]) {
        switch change {
        case .truncate(let size):
            bytes = Array(bytes.prefix(size)) + [UInt8](repeating: 0, count: max(0, size - bytes.count))
        case .write(let offset, let new):
            let end = offset + new.count
            if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
            bytes.replaceSubrange(offset..<end, with: new)
        }
    }
}
