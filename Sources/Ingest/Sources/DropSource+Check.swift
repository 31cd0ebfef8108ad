import Inventory
import SQLite

// A full export that checks the ledger's stock instead of giving it.

extension DropSource {
    private static let settleMargin: Int64 = 60_000
    private static let pageKeys = 500

    func beginCheck(_ export: String, hash: String, asOf: Timestamp, _ now: Timestamp, isFix: Bool) {
        // A time ahead of this clock would be waited for for ever, and leave every key.
        let moment = min(asOf.milliseconds, now.milliseconds)
        state.checking = DropState.Checking(
            export: export, hash: hash, asOf: moment, isFix: isFix, isSecondPass: false, after: "", compared: 0,
            left: 0, baselines: 0)
        start(.checking)
    }

    /// A check that a technician or the schedule asked for, of the last export against the stock as it is now.
    func beginAskedCheck(_ round: DropRound) throws {
        guard let asked = reconcileRequest, asked.at.milliseconds > state.reconciled ?? 0 else { return }
        state.reconciled = asked.at.milliseconds
        guard let last = try round.memory.text("last_export")?.split(separator: "\u{1F}").map(String.init),
            last.count == 3, let asOf = Int64(last[2])
        else { return }
        beginCheck(last[0], hash: last[1], asOf: Timestamp(milliseconds: asOf), round.now, isFix: asked.isFix)
    }

    func check(_ round: DropRound, _ records: inout [CapturedRecord], _ result: inout PipelineRead) throws {
        guard var checking = state.checking, let view = try stock() else {
            state.checking = nil
            return start(nil)
        }
        guard round.now.milliseconds >= checking.asOf + Self.settleMargin else {
            // Soon enough, so nothing is told of it.
            result.more = false
            return
        }
        if openedJournal == nil, try waitsForLedger(checking, round, &result) { return }
        var journal = try openedJournal ?? JournalLook(view, asOf: checking.asOf, lastAsOf: lastChecked(round.memory))
        let isGathering = try journal.goOn(view)
        openedJournal = journal
        if isGathering { return start(.checking) }
        let comparison = StockComparison(
            buckets: mappedBuckets, asOf: Timestamp(milliseconds: checking.asOf), moves: journal.moves,
            unused: rules.unused, trustsCaptures: trustsCaptures(checking))
        let pass = try CheckPass(view: view, memory: round.memory, comparison: comparison)
        let found =
            checking.isSecondPass
            ? try pass.ledgerKeys(after: checking.after, limit: Self.pageKeys)
            : try pass.exportKeys(after: checking.after, limit: Self.pageKeys)
        try round.memory.write { generation in
            for (key, finding) in found.findings {
                try tell(finding, of: key, &checking, pass, generation, round, &records)
            }
        }
        if let last = found.last {
            checking.after = last
            state.checking = checking
            return start(.checking)
        }
        guard checking.isSecondPass else {
            checking.isSecondPass = true
            checking.after = ""
            state.checking = checking
            return start(.checking)
        }
        try endCheck(checking, round, &result)
    }

    /// What the ledger's source has not told yet would all seem to be missing.
    private func waitsForLedger(
        _ checking: DropState.Checking, _ round: DropRound, _ result: inout PipelineRead
    ) throws -> Bool {
        guard let ledger = settings.full?.checks, let reach = beginning.ledger else { return false }
        if let told = reach()?.at, told.milliseconds >= checking.asOf + Self.settleMargin { return false }
        let since = ledgerAwaited ?? round.monotonic
        ledgerAwaited = since
        result.more = false
        if round.monotonic - since < settings.patience {
            result.status = "waiting: \(ledger) has not told all up to \(Timestamp(milliseconds: checking.asOf)) yet"
        } else {
            let reason = "\(checking.export) is not compared: \(ledger) has not told all up to its time"
            result.notices.append(reason)
            try round.memory.write { _ in try round.memory.put("not_compared", text: "\(reason) (\(round.now))") }
            try endCheck(nil, round, &result)
        }
        return true
    }

    private func trustsCaptures(_ checking: DropState.Checking) -> Bool {
        guard let reach = beginning.ledger else { return true }
        return (reach()?.since.milliseconds ?? .max) <= checking.asOf - StockComparison.margin
    }

    /// The time of the export that was checked last, in milliseconds since 1970.
    private func lastChecked(_ memory: SourceMemory) throws -> Int64? {
        let parts = try memory.text("checked")?.split(separator: "\u{1F}", omittingEmptySubsequences: false)
        return parts.flatMap { $0.count > 1 ? Int64($0[1]) : nil }
    }

    /// `checking` nil: nothing was compared.
    private func endCheck(_ checking: DropState.Checking?, _ round: DropRound, _ result: inout PipelineRead) throws {
        state.checking = nil
        openedStock = nil
        openedJournal = nil
        ledgerAwaited = nil
        guard let checking else { return start(nil) }
        let drifting = try round.memory.connection.integer("SELECT count(*) FROM drifts")
        let words = [
            checking.export, "\(checking.asOf)", "\(round.now.milliseconds)", "\(checking.compared)",
            "\(checking.left)",
            "\(checking.baselines)", "\(drifting)",
        ]
        try round.memory.write { _ in
            try round.memory.put("checked", text: words.joined(separator: "\u{1F}"))
            try round.memory.put("not_compared", text: "")
        }
        if drifting > 0 { result.notices.append("\(checking.export): \(drifting) keys differ; waybill reconcile") }
        start(nil)
    }

    private func tell(
        _ finding: Finding, of key: StockKey, _ checking: inout DropState.Checking, _ pass: CheckPass,
        _ generation: Int64, _ round: DropRound, _ records: inout [CapturedRecord]
    ) throws {
        checking.compared += 1
        switch finding {
        case .equal: try pass.forget(key)
        case .left: checking.left += 1
        case .baseline(let level, let version):
            checking.baselines += 1
            records.append(record(of: level, .version(version), telling(checking, generation), round.now))
        case .drift(let drift, let fix) where checking.isFix && drift.cause != .inFlight:
            records.append(record(of: fix, .differences, telling(checking, generation), round.now))
            try pass.forget(key)
        case .drift(var drift, _):
            if drift.cause != .inFlight {
                drift.cause = try pass.cause(of: drift, factors: mapping.factors(ofSKU: key.sku))
            }
            let isNews = try pass.note(drift, export: checking.export, generation: generation, now: round.now)
            if isNews { records.append(record(of: drift, checking, round.now)) }
        }
    }

    private func telling(_ checking: DropState.Checking, _ generation: Int64) -> DropState.Telling {
        DropState.Telling(
            export: checking.export, hash: checking.hash, generation: generation, asOf: checking.asOf,
            isTimeOfFile: false, after: "")
    }

    private func record(of drift: StockDrift, _ checking: DropState.Checking, _ now: Timestamp) -> CapturedRecord {
        let text = "drift:\(drift.key.joined):\(checking.hash):\(CheckReport.text(drift.figures))"
        let found = Compared(
            type: .drift, sku: drift.key.sku, text: text, hash: Digest(sha256: text), export: checking.export,
            asOf: drift.asOf, isTimeOfFile: false)
        return record(of: found, now) { $0.drift = drift }
    }

    private var mappedBuckets: Set<Bucket> {
        let named = definition.mapping.rules.reduce(into: Set<MappingField>()) { $0.formUnion($1.expressions.keys) }
        return Set(MappingField.levels.filter { named.contains($0.field) }.map(\.bucket))
    }
}

/// One page of a check, with the statements that it needs.
struct CheckPass {
    let view: any StockView
    let memory: SourceMemory
    let comparison: StockComparison
    private let sums: RowSums
    private let deleteDrift: Statement

    init(view: any StockView, memory: SourceMemory, comparison: StockComparison) throws {
        self.view = view
        self.memory = memory
        self.comparison = comparison
        sums = try RowSums(memory.connection)
        deleteDrift = try memory.connection.prepare("DELETE FROM drifts WHERE key = ?1")
    }

    struct Page {
        var findings: [(key: StockKey, finding: Finding)] = []
        /// Nil: there is none after it.
        var last: String?
    }

    func exportKeys(after: String, limit: Int) throws -> Page {
        let select = try memory.connection.prepare(
            "SELECT DISTINCT key FROM rows WHERE key > ?1 AND kind = 0 AND died = 0 ORDER BY key LIMIT ?2")
        select.bind(1, text: after)
        select.bind(2, Int64(limit))
        var page = Page()
        while try select.step() {
            let text = select.text(0) ?? ""
            page.last = text
            guard let key = StockKey(joined: text) else { continue }
            let figures = try sums.figures(of: text)
            page.findings.append((key, comparison.finding(key, export: figures, ledger: try view.known(key))))
        }
        return page
    }

    /// Keys that the export does not name: it says that there is nothing.
    func ledgerKeys(after: String, limit: Int) throws -> Page {
        var page = Page()
        for known in try view.known(after: StockKey(joined: after), limit: limit) {
            page.last = known.key.joined
            guard try sums.figures(of: known.key.joined).isEmpty else { continue }
            page.findings.append((known.key, comparison.finding(known.key, export: [:], ledger: known)))
        }
        return page
    }

    // MARK: what differs

    func cause(of drift: StockDrift, factors: [(numerator: Int64, denominator: Int64)]) throws -> StockDrift.Cause {
        let known = try view.known(ofSKU: drift.key.sku)
        let ledger = Dictionary(uniqueKeysWithValues: known.map { ($0.key, figures(of: $0)) })
        let version = known.first { $0.key == drift.key }?.balance.version
        let moves = version.flatMap { comparison.moves?.path(of: drift.key, to: $0) } ?? []
        let last = try memory.rowsGeneration
        let before = try RowSums(memory.connection, before: last).figures(of: drift.key.joined)
        return DriftCause(
            export: try figures(ofSKU: drift.key.sku), ledger: ledger, factors: factors,
            before: before.isEmpty ? nil : before,
            moves: moves.filter { $0.bucket != nil && comparison.isCompared($0) }
        ).cause(of: drift)
    }

    private func figures(of ledger: KnownStock) -> [Bucket: Quantity] {
        comparison.figures(of: ledger).compactMapValues { try? Quantity(millionths: $0) }
    }

    /// False when the same difference was told before. Within `SourceMemory.write`.
    func note(_ drift: StockDrift, export: String, generation: Int64, now: Timestamp) throws -> Bool {
        let figures = CheckReport.text(drift.figures)
        let key = drift.key.joined
        let select = try memory.connection.prepare("SELECT figures, since, cause FROM drifts WHERE key = ?1")
        select.bind(1, text: key)
        let isKnown = try select.step()
        let (told, since) = isKnown ? (select.text(0), select.integer(1)) : (nil, now.milliseconds)
        let before = isKnown ? select.text(2).flatMap { StockDrift.Cause(rawValue: $0) } : nil
        select.reset()
        let hasLanded = before == .inFlight && drift.cause != .inFlight
        // What explained the same difference once still does; the event that did may be out of sight.
        let cause = told == figures && drift.cause == .unknown && !hasLanded ? before ?? .unknown : drift.cause
        let put = try memory.connection.prepare("INSERT OR REPLACE INTO drifts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
        put.bind(1, text: key)
        put.bind(2, generation)
        put.bind(3, text: figures)
        put.bind(4, text: cause.rawValue)
        put.bind(5, text: export)
        put.bind(6, drift.asOf.milliseconds)
        put.bind(7, since)
        try put.run()
        return told != figures || hasLanded
    }

    func forget(_ key: StockKey) throws {
        deleteDrift.bind(1, text: key.joined)
        try deleteDrift.run()
    }

    private func figures(ofSKU sku: String) throws -> [StockKey: [Bucket: Quantity]] {
        let select = try memory.connection.prepare(
            "SELECT DISTINCT key FROM rows WHERE key >= ?1 AND key < ?2 AND kind = 0 AND died = 0 LIMIT 1000")
        select.bind(1, text: sku + "\u{1F}")
        select.bind(2, text: sku + "\u{20}")
        var keys: [String] = []
        while try select.step() { keys.append(select.text(0) ?? "") }
        var all: [StockKey: [Bucket: Quantity]] = [:]
        for text in keys { if let key = StockKey(joined: text) { all[key] = try sums.figures(of: text) } }
        return all
    }
}
