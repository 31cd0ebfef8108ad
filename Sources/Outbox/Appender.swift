import Inventory
import SQLite

// One append: everything is decided in memory on what the mirrors hold, written in one transaction, and only after
// COMMIT do the mirrors change. A record that fails on apply (overflow) is turned into a reject before any event of it
// is written, so one record cannot block its source; its identity is then not noted, so it can be tried again.

struct Appender {
    private let journal: Journal
    private let rules: InventoryRules
    private let now: Timestamp
    private let seen: SeenIdentities
    private var heads: ByLane<Int64>
    /// The lines of the record at hand; kept for their room.
    private var lines: [BalanceLine] = []
    private var places: [Int] = []
    /// Of a compared level: the balances that it meets.
    private var befores: [Balance] = []
    private var balances: BalanceCache
    private var newSources: [String: JournalSource] = [:]
    private var result = AppendResult()

    /// What the records of one batch have in common.
    private struct Origin {
        let name: String
        let source: JournalSource
        var capture: Int64?
        var noted: Int64 = 0
        var acceptsOld = false
    }

    /// The journal's balances are taken, not copied: after a failure they are read from the file again.
    init(journal: Journal, rules: InventoryRules, now: Timestamp) {
        self.journal = journal
        self.rules = rules
        self.now = now
        seen = SeenIdentities(journal: journal, day: now.milliseconds / JournalSource.dayMilliseconds)
        heads = ByLane { journal.progress.lanes[$0].head }
        balances = journal.balances
        journal.balances = BalanceCache()
    }

    /// Durable on return.
    mutating func append(_ batches: [CaptureBatch]) throws -> AppendResult {
        try commit { appender in
            for batch in batches { try appender.write(batch) }
        }
    }

    /// Puts a record in the place of a reject; durable on return. Throws when it is a reject again.
    mutating func resolve(
        _ reject: StoredReject, with record: CapturedRecord, audit: AuditEntry?
    ) throws -> AppendResult {
        try commit { appender in
            var origin = Origin(name: reject.source, source: try appender.source(reject.source))
            origin.acceptsOld = [Self.tooOld, Self.uncertain].contains(reject.reason.code)
            try appender.write(record, &origin)
            try appender.seen.count(origin.noted, of: origin.source)
            guard appender.result.rejects == 0 else { throw OutboxError.stillRejected(reject.id) }
            try Rejects.delete(reject.id, appender.journal)
            if let audit { try AuditLog.insert(audit, appender.journal.connection) }
        }
    }

    private mutating func commit(_ body: (inout Appender) throws -> Void) throws -> AppendResult {
        var changes: [TreeChange] = []
        try journal.connection.transaction {
            try body(&self)
            changes = try balances.writeDirty(journal.statements.upsertStock)
            try writeHeads()
        }
        journal.tree.apply(changes) { balances.key(of: $0) }
        balances.trim()
        for lane in Lane.allCases { journal.progress.lanes[lane].head = heads[lane] }
        journal.balances = balances
        journal.sources.merge(newSources) { _, new in new }
        return result
    }

    private mutating func write(_ batch: CaptureBatch) throws {
        if !batch.records.isEmpty {
            var origin = Origin(name: batch.source, source: try source(batch.source))
            for record in batch.records { try write(record, &origin) }
            try seen.count(origin.noted, of: origin.source)
        }
        let put = journal.statements.putCheckpoint
        put.bind(1, text: batch.source)
        put.bind(2, text: batch.checkpoint.kind)
        put.bind(3, text: batch.checkpoint.text)
        put.bind(4, text: batch.checkpoint.position)
        try put.run()
    }

    private mutating func source(_ name: String) throws -> JournalSource {
        if let known = journal.sources[name] ?? newSources[name] { return known }
        let insert = try journal.connection.prepare("INSERT INTO sources(name, horizon, swept) VALUES (?1, 0, 0)")
        insert.bind(1, text: name)
        try insert.run()
        let source = JournalSource(id: journal.connection.lastInsertRowID, horizon: 0)
        newSources[name] = source
        return source
    }

    private mutating func write(_ record: CapturedRecord, _ origin: inout Origin) throws {
        switch record.outcome {
        case .ignored: result.ignored += 1
        case .reject(let reason): try reject(record, origin, reason)
        case .events(let drafts):
            switch try seen.judge(record, of: origin.source, anyAge: origin.acceptsOld) {
            case .new: try post(drafts, of: record, &origin)
            case .repeated: result.suppressed += 1
            case .conflict(let earlier): try conflict(drafts, of: record, earlier: earlier, &origin)
            case .tooOld: try reject(record, origin, Self.tooOldReason)
            case .uncertain: try reject(record, origin, Self.uncertainReason)
            }
        }
    }

    private mutating func post(_ drafts: [EventDraft], of record: CapturedRecord, _ origin: inout Origin) throws {
        balances.mark()
        do {
            if drafts.count == 1 {
                let lane = try apply(drafts[0])
                if drafts[0].isCompared { return try postCompared(drafts[0], lane, &origin) }
                try write(drafts[0], lane, lines, &origin)
            } else {
                let postings = try drafts.map { draft in (draft, try apply(draft), lines) }
                for (draft, lane, lines) in postings { try write(draft, lane, lines, &origin) }
            }
            result.events += drafts.count
            if record.identity.isTracked { origin.noted += 1 }
        } catch let error as InventoryError {
            balances.rewind()
            try seen.forget(record.identity, of: origin.source)
            try reject(record, origin, RejectReason(code: error.code, message: error.message))
        }
    }

    /// A level that was found by comparing: no event where the stock is so already, and what differs beside it.
    private mutating func postCompared(_ draft: EventDraft, _ lane: Lane, _ origin: inout Origin) throws {
        var draft = draft
        draft.difference = try zip(lines, befores).flatMap { line, before in
            try line.balance.difference(from: before, key: line.key)
        }
        guard !draft.difference.isEmpty else {
            balances.rewind()
            result.suppressed += 1
            return
        }
        try write(draft, lane, lines, &origin)
        result.events += 1
    }

    /// Leaves the event's lines in `lines`; throws before anything of it is written.
    private mutating func apply(_ draft: EventDraft) throws -> Lane {
        lines.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        if draft.isCompared { befores.removeAll(keepingCapacity: true) }
        var availableFell = false
        for change in draft.changes {
            let index = try line(of: change.key)
            try lines[index].balance.apply(change, rules: rules)
            if change.lowersAvailable { availableFell = true }
        }
        for level in draft.levels {
            let index = try line(of: level.key)
            let before = lines[index].balance
            if draft.isCompared { befores.append(before) }
            try lines[index].balance.apply(Self.present(level, draft.basis, before), rules: rules)
            if lines[index].balance.isLessAvailable(than: before) { availableFell = true }
        }
        let touched = max(draft.occurredAt.milliseconds, now.milliseconds)
        for index in lines.indices { balances.put(lines[index].balance, at: places[index], touched: touched) }
        return rules.lane(of: draft.type, availableFell: availableFell, reversing: draft.reversedType)
    }

    /// What a level says of the stock that it meets; `before` has the event's version already.
    private static func present(
        _ level: StockLevel, _ basis: LevelBasis, _ before: Balance
    ) throws(InventoryError) -> StockLevel {
        var level = level
        switch basis {
        case .figures: break
        case .version(let version):
            if before.version - 1 != version { level.buckets = [:] }
        case .differences:
            for (bucket, difference) in level.buckets {
                level.buckets[bucket] = try before[bucket].map { value throws(InventoryError) in
                    try value.adding(difference)
                }
            }
        }
        return level
    }

    private mutating func line(of key: StockKey) throws -> Int {
        if let index = lines.firstIndex(where: { $0.key == key }) { return index }
        let place = try balances.place(of: key, rules: rules, select: journal.statements.selectStock)
        var balance = balances[place]
        balance.version += 1
        lines.append(BalanceLine(key: key, balance: balance))
        places.append(place)
        return lines.count - 1
    }

    private mutating func write(
        _ draft: EventDraft, _ lane: Lane, _ lines: [BalanceLine], _ origin: inout Origin
    ) throws {
        let capture = try capture(&origin)
        heads[lane] += 1
        let sequence = heads[lane]
        let insert = journal.statements.insertEvent
        insert.bind(1, Slot(epoch: journal.ordinal, lane: lane, sequence: sequence).packed)
        insert.bind(2, capture)
        try withUnsafeBytes(of: (draft.id.high.bigEndian, draft.id.low.bigEndian)) { id in
            insert.bind(3, blob: id)
            try journal.encoder.encode(
                draft, lane: lane, sequence: sequence, epoch: journal.progress.epoch, balances: lines
            ) { payload in
                insert.bind(4, blob: payload)
                try insert.run()
            }
        }
    }

    /// Notes with a batch's first event where its source stood before: from there nothing un-acked would be missed.
    private func capture(_ origin: inout Origin) throws -> Int64 {
        if let capture = origin.capture { return capture }
        let select = journal.statements.selectPosition
        select.bind(1, text: origin.name)
        let before = try select.step() ? select.text(0) ?? "" : ""
        select.reset()
        let insert = journal.statements.insertCapture
        insert.bind(1, text: origin.name)
        insert.bind(2, now.milliseconds)
        insert.bind(3, text: before)
        try insert.run()
        let capture = journal.connection.lastInsertRowID
        origin.capture = capture
        return capture
    }

    /// The same identity with other content: both are told once, nothing is changed.
    private mutating func conflict(
        _ drafts: [EventDraft], of record: CapturedRecord, earlier: UInt64, _ origin: inout Origin
    ) throws {
        guard try seen.noteConflict(record.identity, of: origin.source) else {
            result.suppressed += 1
            return
        }
        origin.noted += 1
        guard let first = drafts.first else {
            let message = "identity \(record.identity.text) came before with another content, and this one has no event"
            return try reject(record, origin, RejectReason(code: "conflict", message: message))
        }
        let draft = first.conflict(
            site: journal.site, record: record.identity, earlierHash: earlier, bytes: record.bytes)
        let lane = rules.lane(of: .conflict, availableFell: false)
        try write(draft, lane, [], &origin)
        result.conflicts += 1
    }

    private mutating func reject(_ record: CapturedRecord, _ origin: Origin, _ reason: RejectReason) throws {
        let insert = journal.statements.insertReject
        insert.bind(1, text: origin.name)
        insert.bind(2, now.milliseconds)
        insert.bind(3, text: record.position.description)
        insert.bind(4, text: reason.code)
        insert.bind(5, text: reason.message)
        insert.bind(6, text: record.identity.text)
        try record.bytes.withUnsafeBytes { bytes in
            insert.bind(7, blob: bytes)
            try insert.run()
        }
        result.rejects += 1
    }

    private static let uncertain = "uncertain"
    private static let uncertainReason = RejectReason(
        code: uncertain,
        message:
            "the source was read again, and without an id and a time nobody knows whether this became an event before")
    private static let tooOld = "too_old"
    private static let tooOldReason = RejectReason(
        code: tooOld,
        message: "its own time is before the oldest identity that is kept, so nobody can tell whether it came before")

    private func writeHeads() throws {
        for lane in Lane.allCases where heads[lane] != journal.progress.lanes[lane].head {
            let update = journal.statements.updateLane
            update.bind(1, heads[lane])
            update.bind(2, journal.ordinal)
            update.bind(3, Int64(lane.rawValue))
            try update.run()
        }
    }
}

extension StockChange {
    /// Less is free to use, or more is promised.
    fileprivate var lowersAvailable: Bool {
        switch bucket {
        case .unrestricted: delta.isNegative
        case .allocated: !delta.isNegative && delta.millionths != 0
        default: false
        }
    }
}

extension Balance {
    fileprivate func isLessAvailable(than before: Balance) -> Bool {
        if let now = available, let then = before.available { return now < then }
        guard let now = self[.unrestricted], let then = before[.unrestricted] else { return false }
        return now < then
    }
}
