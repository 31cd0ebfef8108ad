import Inventory
import SQLite

// One append: everything is decided in memory on copies of the mirrors, written in one transaction, and only after
// COMMIT do the copies become the mirrors. A record that fails on apply (overflow) is turned into a reject before any
// row of it is written, so one record cannot block its source.

struct Appender {
    private let journal: Journal
    private let rules: InventoryRules
    private let now: Timestamp
    private var progress: Progress
    private var balances: BalanceCache
    private var result = AppendResult()
    private var newlySeen: [Seen] = []
    private var seenInBatch: [String: [UInt64: UInt64]] = [:]

    private struct Seen {
        var source: String
        var hash: [UInt8]
        var record: Int64
    }

    init(journal: Journal, rules: InventoryRules, now: Timestamp) {
        self.journal = journal
        self.rules = rules
        self.now = now
        progress = journal.progress
        balances = journal.balances
    }

    /// Durable on return.
    mutating func append(_ batches: [CaptureBatch]) throws -> AppendResult {
        try journal.connection.transaction {
            for batch in batches { try write(batch) }
            try balances.writeDirty(journal.statements.upsertStock)
            try writeSeen()
            try writeHeads()
        }
        journal.progress = progress
        journal.balances = balances
        return result
    }

    private mutating func write(_ batch: CaptureBatch) throws {
        let capture = try writeCapture(batch)
        for record in batch.records { try write(record, source: batch.source, capture: capture) }
        let put = journal.statements.putCheckpoint
        put.bind(1, text: batch.source)
        put.bind(2, text: batch.checkpoint.kind)
        put.bind(3, text: batch.checkpoint.text)
        put.bind(4, text: batch.checkpoint.position)
        try put.run()
    }

    /// Notes where the source stood before this batch: from there nothing un-acked would be missed.
    private func writeCapture(_ batch: CaptureBatch) throws -> Int64 {
        guard !batch.records.isEmpty else { return 0 }
        let select = try journal.connection.prepare("SELECT position FROM checkpoints WHERE source = ?1")
        select.bind(1, text: batch.source)
        let before = try select.step() ? select.text(0) ?? "" : ""
        let insert = journal.statements.insertCapture
        insert.bind(1, text: batch.source)
        insert.bind(2, now.milliseconds)
        insert.bind(3, text: before)
        try insert.run()
        return journal.connection.lastInsertRowID
    }

    private mutating func write(_ record: CapturedRecord, source: String, capture: Int64) throws {
        switch record.outcome {
        case .ignored: result.ignored += 1
        case .reject(let reason): try reject(record, source: source, reason: reason)
        case .events(let drafts):
            switch try judge(record.identity, source: source) {
            case .new: try post(drafts, of: record, source: source, capture: capture)
            case .repeated: result.suppressed += 1
            case .conflict: try conflict(drafts, capture: capture)
            }
        }
    }

    private mutating func post(_ drafts: [EventDraft], of record: CapturedRecord, source: String, capture: Int64) throws {
        balances.mark()
        do {
            var posted: [(EventDraft, Lane, [BalanceLine])] = []
            for draft in drafts { posted.append(try apply(draft)) }
            for (draft, lane, lines) in posted { try write(draft, lane: lane, lines: lines, capture: capture) }
            result.events += drafts.count
        } catch let error as InventoryError {
            balances.rewind()
            try reject(record, source: source, reason: RejectReason(code: error.code, message: error.message))
        }
    }

    private mutating func apply(_ draft: EventDraft) throws -> (EventDraft, Lane, [BalanceLine]) {
        var touched: [StockKey] = []
        var lines: [StockKey: Balance] = [:]
        var availableFell = false
        func touch(_ key: StockKey, _ cache: inout BalanceCache) throws -> Balance {
            if let line = lines[key] { return line }
            touched.append(key)
            var balance = try cache.balance(of: key, rules: rules, select: journal.statements.selectStock)
            balance.version += 1
            return balance
        }
        for change in draft.changes {
            var balance = try touch(change.key, &balances)
            try balance.apply(change, rules: rules)
            if change.bucket == .unrestricted, change.delta.isNegative { availableFell = true }
            lines[change.key] = balance
        }
        for level in draft.levels {
            var balance = try touch(level.key, &balances)
            for (bucket, quantity) in level.buckets {
                if bucket == .unrestricted, let old = balance[bucket], quantity < old { availableFell = true }
                balance.set(bucket, to: quantity, rules: rules)
            }
            lines[level.key] = balance
        }
        for (key, balance) in lines { balances.put(balance, for: key) }
        let lane = rules.lane(of: draft.type, availableFell: availableFell)
        return (draft, lane, touched.compactMap { key in lines[key].map { BalanceLine(key: key, balance: $0) } })
    }

    private mutating func write(_ draft: EventDraft, lane: Lane, lines: [BalanceLine], capture: Int64) throws {
        let sequence = (progress.lanes[lane]?.head ?? 0) + 1
        progress.lanes[lane]?.head = sequence
        let payload = journal.encoder.encode(
            draft, lane: lane, sequence: sequence, epoch: progress.epoch, balances: lines)
        let insert = journal.statements.insertEvent
        insert.bind(1, Slot(epoch: journal.ordinal, lane: lane, sequence: sequence).packed)
        insert.bind(2, capture)
        insert.bind(3, bytes: idBytes(draft.id.high, draft.id.low))
        try payload.withUnsafeBytes {
            insert.bind(4, blob: $0)
            try insert.run()
        }
    }

    /// The same identity with other content: both are told, nothing is changed.
    private mutating func conflict(_ drafts: [EventDraft], capture: Int64) throws {
        guard var draft = drafts.first else { return }
        draft.type = .conflict
        draft.changes = []
        draft.levels = []
        draft.id = EventID(high: draft.id.high, low: draft.id.low ^ (draft.origin.recordHash.prefix8 >> 2))
        try write(draft, lane: rules.lane(of: .conflict, availableFell: false), lines: [], capture: capture)
        result.conflicts += 1
    }

    private mutating func reject(_ record: CapturedRecord, source: String, reason: RejectReason) throws {
        let insert = journal.statements.insertReject
        insert.bind(1, text: source)
        insert.bind(2, now.milliseconds)
        insert.bind(3, text: record.position)
        insert.bind(4, text: reason.code)
        insert.bind(5, text: reason.message)
        insert.bind(6, text: record.identity.text)
        insert.bind(7, bytes: record.bytes)
        try insert.run()
        result.rejects += 1
    }

    // MARK: seen identities

    private enum Sighting { case new, repeated, conflict }

    private mutating func judge(_ identity: RecordIdentity, source: String) throws -> Sighting {
        guard identity.isTracked else { return .new }
        let (high, low) = identity.hash
        let record = identity.recordHash.prefix8
        if let earlier = try seenInBatch[source]?[high] ?? stored(high, low, source: source) {
            return earlier == record ? .repeated : .conflict
        }
        seenInBatch[source, default: [:]][high] = record
        newlySeen.append(Seen(source: source, hash: idBytes(high, low), record: Int64(bitPattern: record)))
        return .new
    }

    private func stored(_ high: UInt64, _ low: UInt64, source: String) throws -> UInt64? {
        let select = journal.statements.selectSeen
        defer { select.reset() }
        select.bind(1, text: source)
        select.bind(2, bytes: idBytes(high, low))
        select.bind(3, text: journal.seenDaysJSON)
        return try select.step() ? UInt64(bitPattern: select.integer(0)) : nil
    }

    /// Sorted, so that a batch touches each page of the day's partition once.
    private mutating func writeSeen() throws {
        guard !newlySeen.isEmpty else { return }
        let day = now.milliseconds / 86_400_000
        let insert = journal.statements.insertSeen
        for seen in newlySeen.sorted(by: { $0.hash.lexicographicallyPrecedes($1.hash) }) {
            insert.bind(1, text: seen.source)
            insert.bind(2, day)
            insert.bind(3, bytes: seen.hash)
            insert.bind(4, seen.record)
            try insert.run()
        }
        try journal.noteSeen(day: day)
    }

    private func writeHeads() throws {
        for (lane, line) in progress.lanes where line.head != journal.progress.lanes[lane]?.head {
            let update = journal.statements.updateLane
            update.bind(1, line.head)
            update.bind(2, journal.ordinal)
            update.bind(3, Int64(lane.rawValue))
            try update.run()
        }
    }
}

/// 16 big-endian bytes.
func idBytes(_ high: UInt64, _ low: UInt64) -> [UInt8] {
    withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { [UInt8]($0) }
}
