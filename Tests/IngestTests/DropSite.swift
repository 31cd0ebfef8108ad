import Foundation
import Ingest
import Inventory
import Testing

/// A directory into which files are dropped, and the checkpoint that an agent would keep of it. Time is a number.
final class DropSite {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("waybill-\(UUID().uuidString)").path
    var data: String { directory + "/data" }
    var inbox: String { directory + "/in" }
    var pattern = "*.csv"
    var settings = DropSettings()
    var fields: [MappingField: String] = [.sku: "item", .quantity: "decimal(qty)", .when: "code = 'RC'"]
    var type = EventType.received
    var format = FormatDefinition()
    var change: (inout SourceDefinition) -> Void = { _ in }
    private(set) var checkpoint: Checkpoint?
    var decision: HoldDecision?
    var reconcile: ReconcileRequest?
    /// What the ledger adds up to, for a source that checks it.
    var stock: LedgerStock?
    /// Nil: nobody knows.
    var reach: LedgerReach? { didSet { caughtUp.value = reach } }
    private let caughtUp = CaughtUp()
    /// Monotonic milliseconds.
    var clock: Int64 = 0
    private(set) var reader: (any SourceReader)?
    private(set) var notices: [String] = []
    private(set) var last: PipelineRead?
    var now = Timestamp(milliseconds: 1_800_000_000_000)

    init() throws {
        for path in [data, inbox] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        settings.completion = .renamed
        format.delimiter = UInt8(ascii: ";")
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// A source of full exports: `item;qty` or whatever the fields say.
    func makeFull(_ change: (inout FullSettings) -> Void = { _ in }) {
        var full = FullSettings()
        change(&full)
        settings.full = full
        type = .level
        fields = [.sku: "item", .location: "bin", .unrestricted: "decimal(qty)"]
    }

    func drop(_ text: String, as name: String, modified: Date? = nil) throws {
        try drop(bytes: Array(text.utf8), as: name, modified: modified)
    }

    func drop(bytes: [UInt8], as name: String, modified: Date? = nil) throws {
        let part = inbox + "/.\(name).part"
        try Data(bytes).write(to: URL(fileURLWithPath: part))
        if let modified { try FileManager.default.setAttributes([.modificationDate: modified], ofItemAtPath: part) }
        rename(part, "\(inbox)/\(name)")
    }

    func open() throws {
        reader = nil
        let rule = EventRule(type: type, also: false, expressions: fields.mapValues { Ingest.Expression(sql: $0) })
        let mapping = MappingDefinition(rules: [rule], ignores: [Ingest.Expression(sql: "item = 'IGNORE'")])
        var definition = SourceDefinition(
            name: "stock", path: "\(inbox)/\(pattern)", format: format, mapping: mapping, timeZone: "Europe/Berlin")
        definition.drop = settings
        definition.scratchDirectory = data
        change(&definition)
        let site = try #require(SiteIdentity(tenant: "acme", site: "dc-7"))
        var beginning = SourceBeginning(
            checkpoint: checkpoint, decision: decision, reconcile: reconcile,
            stock: stock.map { stock in { @Sendable in stock } }, workClock: { 0 })
        if reach != nil { beginning.ledger = { [caughtUp] in caughtUp.value } }
        reader = try definition.reader(site: site, rules: InventoryRules(), beginning: beginning)
    }

    /// One read; `commits` false is a crash before the outbox had it.
    @discardableResult
    func read(commits: Bool = true) throws -> PipelineRead {
        if reader == nil { try open() }
        let read = try #require(reader).read(maxBytes: 1 << 20, now: now, monotonic: clock)
        notices += read.notices
        if commits, let batch = read.batch {
            checkpoint = batch.checkpoint
            reader?.committed(batch.checkpoint)
        }
        last = read
        return read
    }

    /// Reads until there is no more, a second between looks.
    @discardableResult
    func drain() throws -> [CapturedRecord] {
        var records: [CapturedRecord] = []
        for _ in 0..<100_000 {
            clock += 1_000
            let read = try read()
            records += read.batch?.records ?? []
            if !read.more { return records }
        }
        Issue.record("the source never came to an end")
        return records
    }

    func restart() { reader = nil }

    func decide(_ isAccepted: Bool) throws {
        decision = HoldDecision(id: try #require(last?.hold).id, isAccepted: isAccepted)
        restart()
    }

    func names(in directory: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).filter { !$0.hasPrefix(".") }.sorted()
    }
}

/// One test, one thread.
private final class CaughtUp: @unchecked Sendable {
    var value: LedgerReach?
}

/// A ledger's stock in memory.
final class LedgerStock: StockView, @unchecked Sendable {
    // One test, one thread.
    var lines: [StockKey: KnownStock] = [:]
    private var journal: [(at: Timestamp, payload: [UInt8])] = []

    func put(_ sku: String, _ location: String, _ figures: [Bucket: String], lot: String = "", touched: Int64 = 0)
        throws
    {
        let key = StockKey(sku: sku, location: location, lot: lot)
        var balance = Balance(rules: InventoryRules())
        for (bucket, figure) in figures { balance.put(try Quantity(figure), in: bucket) }
        lines[key] = KnownStock(key: key, balance: balance, touchedAt: Timestamp(milliseconds: touched))
    }

    func known(_ key: StockKey) throws -> KnownStock? { lines[key] }

    func known(after key: StockKey?, limit: Int) throws -> [KnownStock] {
        Array(
            lines.values.filter { line in key.map { $0 < line.key } ?? true }.sorted { $0.key < $1.key }.prefix(limit))
    }

    func known(ofSKU sku: String) throws -> [KnownStock] { lines.values.filter { $0.key.sku == sku } }

    /// An event that was captured when it happened, and changes the stock.
    func move(
        _ sku: String, _ location: String, _ deltas: [Bucket: String], at: Timestamp, quality: TimeQuality = .exact
    ) throws {
        let key = StockKey(sku: sku, location: location)
        var line = try #require(lines[key])
        var draft = try draft(of: .adjusted, sku, at)
        draft.timeQuality = quality
        for (bucket, delta) in deltas {
            let change = StockChange(key: key, bucket: bucket, delta: try Quantity(delta))
            draft.changes.append(change)
            try line.balance.apply(change, rules: InventoryRules())
        }
        try note(draft, &line, at)
    }

    func level(_ sku: String, _ location: String, _ figures: [Bucket: String], at: Timestamp) throws {
        let key = StockKey(sku: sku, location: location)
        var line = try #require(lines[key])
        let level = StockLevel(key: key, buckets: try figures.mapValues { try Quantity($0) })
        try line.balance.apply(level, rules: InventoryRules())
        try note(try draft(of: .level, sku, at), &line, at)
    }

    /// The stock changes, and the journal does not tell of it.
    func touch(_ sku: String, _ location: String, at: Timestamp) {
        lines[StockKey(sku: sku, location: location)]?.touchedAt = at
        lines[StockKey(sku: sku, location: location)]?.balance.version += 1
    }

    private func draft(of type: EventType, _ sku: String, _ at: Timestamp) throws -> EventDraft {
        let text = "\(sku) \(journal.count)"
        let origin = Origin(
            source: "moves", kind: "tail", object: "moves.csv", position: "0", key: nil,
            recordHash: Digest(sha256: text))
        return EventDraft(
            id: EventID(high: 1, low: UInt64(journal.count)), type: type, sku: sku, origin: origin, occurredAt: at,
            timeQuality: .exact, capturedAt: at, mappingVersion: "1",
            traceparent: Traceparent(trace: (1, 2), parent: 3))
    }

    private func note(_ draft: EventDraft, _ line: inout KnownStock, _ at: Timestamp) throws {
        line.balance.version += 1
        line.touchedAt = max(line.touchedAt, at)
        lines[line.key] = line
        let site = try #require(SiteIdentity(tenant: "acme", site: "dc-7"))
        var encoder = EventEncoder(site: site)
        let epoch = try #require(Epoch("20261101T000000Z-0000"))
        let payload = encoder.encode(
            draft, lane: .standard, sequence: Int64(journal.count + 1), epoch: epoch,
            balances: [BalanceLine(key: line.key, balance: line.balance)])
        journal.append((at, payload))
    }

    func journal(since moment: Timestamp, limit: Int64) throws -> JournalSpan? {
        let first = Int64(journal.firstIndex { $0.at >= moment } ?? journal.count)
        let epoch = try #require(Epoch("20261101T000000Z-0000"))
        return JournalSpan(
            epoch: epoch, after: ByLane { $0 == .standard ? first : 0 },
            through: ByLane { $0 == .standard ? Int64(journal.count) : 0 })
    }

    /// One event at a time.
    func read(_ span: inout JournalSpan, into moves: inout StockMoves) throws {
        guard span.events > 0 else { return }
        journal[Int(span.after[.standard])].payload.withUnsafeBytes { moves.note($0) }
        span.after[.standard] += 1
    }
}

/// The levels of a batch as `sku@location=figure`, `+=` for a difference, zero for what is gone; rejects as `!code`.
func levels(_ records: [CapturedRecord]) -> [String] {
    records.flatMap { record in
        switch record.outcome {
        case .events(let drafts):
            drafts.map { draft in
                guard let level = draft.levels.first else { return draft.type.rawValue }
                let figures = level.buckets.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.value)" }
                let sign = draft.basis == .differences ? "+=" : "="
                return "\(level.key.sku)@\(level.key.location)\(sign)\(figures.joined(separator: ","))"
            }
        case .reject(let reason): ["!" + reason.code]
        case .ignored: ["-"]
        }
    }
}
