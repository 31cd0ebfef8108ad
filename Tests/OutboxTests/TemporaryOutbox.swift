import Foundation
import Inventory
import Outbox
import SQLite
import Testing

final class TemporaryOutbox {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("waybill-\(UUID().uuidString)").path
    let site: SiteIdentity
    let now = Timestamp(year: 2026, month: 11, day: 23, hour: 9)

    init() throws {
        site = try #require(SiteIdentity(tenant: "acme", site: "dc-7"))
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func open(_ change: (inout OutboxOptions) -> Void = { _ in }) throws -> Outbox {
        var rules = InventoryRules()
        rules.baselineZero = true
        var options = OutboxOptions(directory: directory, site: site, rules: rules, programVersion: "1.0.0")
        change(&options)
        return try Outbox(options, now: now)
    }

    func record(_ name: String, quantity: String = "5", type: EventType = .received, content: String? = nil) throws
        -> CapturedRecord
    {
        let hash = Digest(sha256: content ?? name)
        let identity = RecordIdentity(text: name, recordHash: hash, isTracked: true)
        let derived = EventID.derive(site: site, source: "moves", record: identity, type: type, n: 0)
        let origin = Origin(source: "moves", kind: "tail", object: "f", position: "0", key: name, recordHash: hash)
        var draft = EventDraft(
            id: derived.id, type: type, sku: "A", origin: origin, occurredAt: now, timeQuality: .exact, capturedAt: now,
            mappingVersion: "0", traceparent: derived.traceparent)
        let delta = try Quantity(quantity)
        draft.changes = [
            .init(
                key: StockKey(sku: "A", location: "L"), bucket: .unrestricted,
                delta: type == .shipped ? delta.negated : delta)
        ]
        return CapturedRecord(
            identity: identity, outcome: .events([draft]), bytes: Array(name.utf8)[...],
            position: RecordPosition(object: "f", offset: 0))
    }

    func batch(_ records: [CapturedRecord], at position: String = "p") -> CaptureBatch {
        CaptureBatch(
            source: "moves", records: records, checkpoint: Checkpoint(kind: "tail", text: position, position: position))
    }

    var path: String { directory + "/outbox.sqlite" }

    /// `count` records of one lane in one batch; their numbers begin at `first`.
    @discardableResult
    func fill(_ outbox: Outbox, _ count: Int, from first: Int = 1, at now: Timestamp? = nil) throws -> AppendResult {
        let records = try (first..<first + count).map { try record("R-\($0)") }
        return try outbox.append([batch(records, at: "\(first + count - 1)")], now: now ?? self.now)
    }

    /// All payloads of a lane, page by page.
    func payloads(_ outbox: Outbox, lane: Lane = .standard) throws -> [[UInt8]] {
        let reader = try outbox.reader()
        var all: [StoredEvent] = []
        while true {
            let page = try reader.page(lane: lane, after: all.last?.sequence ?? 0)
            if page.isEmpty { return all.map(\.payload) }
            all += page
        }
    }

    /// A second connection, as a technician's sqlite3 would be one.
    func connection() throws -> Connection { try Connection(path: path, mode: .readWriteCreate) }

    /// Overwrites the first pages of these tables or indexes in the file, under whoever has it open; what they keep in
    /// memory is made stale.
    func damage(_ names: [String]) throws {
        let connection = try connection()
        try connection.execute("INSERT OR REPLACE INTO facts VALUES ('test', hex(randomblob(4)))")
        try connection.checkpoint(truncate: true)
        let size = UInt64(try connection.integer("PRAGMA page_size"))
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        for name in names {
            let page = try connection.integer("SELECT rootpage FROM sqlite_schema WHERE name = '\(name)'")
            try handle.seek(toOffset: UInt64(page - 1) * size)
            try handle.write(contentsOf: Data(repeating: 0xFF, count: Int(size)))
        }
        try handle.close()
    }

    /// Overwrites the page at a part of the file that no agent has open.
    func damage(page part: Double) throws {
        let (size, count) = try { () -> (UInt64, Double) in
            let connection = try connection()
            try connection.checkpoint(truncate: true)
            return (
                UInt64(try connection.integer("PRAGMA page_size")), Double(try connection.integer("PRAGMA page_count"))
            )
        }()
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        try handle.seek(toOffset: UInt64(part * count) * size)
        try handle.write(contentsOf: Data(repeating: 0xFF, count: Int(size)))
        try handle.close()
    }

    /// What a kill at this moment leaves, in a directory of its own.
    func killed() throws -> TemporaryOutbox {
        let copy = try TemporaryOutbox()
        for suffix in ["", "-wal"] where FileManager.default.fileExists(atPath: path + suffix) {
            try FileManager.default.copyItem(atPath: path + suffix, toPath: copy.path + suffix)
        }
        return copy
    }

    /// Prunes until nothing goes any more; how many rows went.
    @discardableResult
    func prune(_ outbox: Outbox, at milliseconds: Int64 = 0) throws -> Int {
        var all = 0
        for _ in 0..<1_000 {
            let count = try outbox.prune(now: later(milliseconds))
            if count == 0 { return all }
            all += count
        }
        Issue.record("pruning never came to an end")
        return all
    }

    func later(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: now.milliseconds + milliseconds) }
}

let day: Int64 = 86_400_000

/// A string member of an event.
func member(_ name: String, of payload: [UInt8]) throws -> String {
    let object = try JSONSerialization.jsonObject(with: Data(payload)) as? [String: Any]
    return try #require(object?[name] as? String)
}
