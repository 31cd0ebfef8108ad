import Inventory
import SQLite

// The stock that the ledger adds up to, against the last full export, key by key: first the keys of the export, then
// those that only the ledger knows. Both in pages, so that a million keys hold nothing up.
//
// Compared is the export's own point in time: a key that an event touched since is taken back to it by what the journal
// tells (`StockMoves`), and agrees when it held the export's figures at any moment around it. A bucket that the ledger does
// not know yet takes the export's figure: that is its baseline. What differs is told once, and again when it differs
// otherwise.

/// What a check says of one key.
enum Finding: Equatable {
    case equal
    /// Touched since, and the journal does not tell how: nobody can say.
    case left
    /// The ledger did not know these buckets, at this version of the key.
    case baseline(StockLevel, version: Int64)
    /// `fix`: by how much the stock changes, when the export was right.
    case drift(StockDrift, fix: StockLevel)
}

/// Holds one key's stock against its export; a value.
struct StockComparison {
    /// The buckets that the export speaks of at all.
    let buckets: Set<Bucket>
    let asOf: Timestamp
    /// What the journal tells; nil: a key that was touched lately is left.
    var moves: StockMoves?
    /// No event changes them.
    var unused: Set<Bucket> = []
    /// The ledger's source was caught up all the time around the export, so that what was captured had just happened.
    var trustsCaptures = true

    /// How far an export's rows may lie from its time, and what an event may still be on its way for, in milliseconds.
    static let margin: Int64 = 15 * 60_000

    /// `export` names what its rows say; a bucket that they leave out is 0.
    func finding(_ key: StockKey, export: [Bucket: Quantity], ledger: KnownStock?) -> Finding {
        guard let ledger, ledger.touchedAt.milliseconds > asOf.milliseconds - Self.margin else {
            return compare(key, export, ledger?.balance, figures(ledger?.balance), [:])
        }
        guard let past = past(of: ledger) else { return .left }
        let found = compare(
            key, export, ledger.balance, past.figures(at: asOf.milliseconds), past.moved(after: asOf.milliseconds))
        let near = past.times(upTo: asOf.milliseconds + Self.margin)
        guard found != .equal, !near.isEmpty else { return found }
        if case .baseline = found { return .left }
        // The export's rows were read at some moment around its time, and its clock is another one.
        let moments = [asOf.milliseconds - Self.margin] + near
        if moments.contains(where: { compare(key, export, ledger.balance, past.figures(at: $0), [:]) == .equal }) {
            return .equal
        }
        if case .drift(var drift, let fix) = found {
            drift.cause = .inFlight
            return .drift(drift, fix: fix)
        }
        return found
    }

    /// Nil where the journal does not tell enough.
    private func past(of ledger: KnownStock) -> StockPast? {
        guard let path = moves?.path(of: ledger.key, to: ledger.balance.version)?.filter(isCompared),
            let past = StockPast(figures(ledger.balance), path, after: asOf.milliseconds - Self.margin),
            trustsCaptures || !past.hasUntimed
        else { return nil }
        return past
    }

    /// In millionths, at the export's time; as they are now where the journal does not tell.
    func figures(of ledger: KnownStock) -> [Bucket: Int64] {
        guard ledger.touchedAt.milliseconds > asOf.milliseconds - Self.margin, let past = past(of: ledger) else {
            return figures(ledger.balance)
        }
        return past.figures(at: asOf.milliseconds)
    }

    /// Of a bucket that the export speaks of and events change; or a level.
    func isCompared(_ move: StockMove) -> Bool {
        move.bucket.map { buckets.contains($0) && !unused.contains($0) } ?? true
    }

    private func figures(_ balance: Balance?) -> [Bucket: Int64] {
        var figures: [Bucket: Int64] = [:]
        for bucket in buckets { figures[bucket] = balance?[bucket]?.millionths }
        return figures
    }

    /// `ledger` as it stood at the export's time, and by how much it went on since, both in millionths.
    private func compare(
        _ key: StockKey, _ export: [Bucket: Quantity], _ present: Balance?, _ ledger: [Bucket: Int64],
        _ movedSince: [Bucket: Int64]
    ) -> Finding {
        var unknown: [Bucket: Quantity] = [:]
        var fix: [Bucket: Quantity] = [:]
        var figures: [StockDrift.Figure] = []
        for bucket in Bucket.allCases where buckets.contains(bucket) {
            let actual = export[bucket] ?? .zero
            if actual.millionths == ledger[bucket] || ledger[bucket] == nil && export[bucket] == nil { continue }
            // No stock has more digits than a quantity: such a journal is not to be trusted.
            guard let millionths = ledger[bucket] else {
                guard let now = try? Quantity(millionths: actual.millionths &+ (movedSince[bucket] ?? 0)) else {
                    return .left
                }
                unknown[bucket] = now
                continue
            }
            guard let expected = try? Quantity(millionths: millionths),
                let difference = try? actual.subtracting(expected)
            else { return .left }
            fix[bucket] = difference
            figures.append(.init(bucket: bucket, expected: expected, actual: actual))
        }
        if !figures.isEmpty {
            let drift = StockDrift(key: key, figures: figures, cause: .unknown, asOf: asOf)
            return .drift(drift, fix: StockLevel(key: key, buckets: fix))
        }
        if unknown.isEmpty { return .equal }
        return .baseline(StockLevel(key: key, buckets: unknown), version: present?.version ?? 0)
    }
}

/// One key's figures at moments that have passed.
struct StockPast {
    private let present: [Bucket: Int64]
    /// The latest one first.
    private let moves: [StockMove]

    /// Nil where a level lies on the way back to `after`.
    init?(_ present: [Bucket: Int64], _ path: [StockMove], after: Int64) {
        let late = path.filter { $0.at.milliseconds > after }
        guard late.allSatisfy({ $0.bucket != nil }) else { return nil }
        self.present = present
        moves = late.sorted { $0.at > $1.at }
    }

    /// One of them tells no time of day: it counts as of its capture.
    var hasUntimed: Bool { moves.contains { !$0.isTimed } }

    func moved(after moment: Int64) -> [Bucket: Int64] {
        moves.prefix { $0.at.milliseconds > moment }.reduce(into: [:]) { sums, move in
            if let bucket = move.bucket { sums[bucket, default: 0] &+= move.delta }
        }
    }

    func figures(at moment: Int64) -> [Bucket: Int64] {
        let moved = moved(after: moment)
        return Dictionary(uniqueKeysWithValues: present.map { ($0, $1 &- (moved[$0] ?? 0)) })
    }

    /// When something moved, at most 200 moments.
    func times(upTo moment: Int64) -> [Int64] {
        let near = moves.drop { $0.at.milliseconds > moment }.map(\.at.milliseconds)
        return Array(Set(near).sorted(by: >).prefix(200))
    }
}

/// Says why a key may differ, from what is known of its SKU elsewhere. A guess, named as a class.
struct DriftCause {
    /// Of the same SKU, all keys: what the export says and what the ledger adds up to.
    let export: [StockKey: [Bucket: Quantity]]
    let ledger: [StockKey: [Bucket: Quantity]]
    /// Base units of the SKU's other units.
    let factors: [(numerator: Int64, denominator: Int64)]
    /// What the export said of the key before, where it changed since.
    let before: [Bucket: Quantity]?
    /// The key's moves since the last check, of the buckets that the export speaks of; empty where the journal does not
    /// tell.
    var moves: [StockMove] = []

    func cause(of drift: StockDrift) -> StockDrift.Cause {
        let figures = drift.figures
        if figures.allSatisfy({ $0.actual.millionths == -$0.expected.millionths }) { return .signError }
        if figures.allSatisfy(isFactor) { return .uomFactor }
        let key = drift.key
        if agree({ $0 == key }, { $0.isOnHand }) { return .statusMismatch }
        if agreeByBucket({ $0.location == key.location && $0.owner == key.owner }) { return .lotMismatch }
        if agreeByBucket({ _ in true }) { return .locationMismatch }
        if let cause = causeByMoves(figures) { return cause }
        if let before, figures.allSatisfy({ before[$0.bucket] == $0.expected }) { return .missingEvent }
        return .unknown
    }

    /// Whether one event explains all of it: with the other sign, counted twice, or in another unit.
    private func causeByMoves(_ figures: [StockDrift.Figure]) -> StockDrift.Cause? {
        var differences: [Bucket: Int128] = [:]
        for figure in figures {
            differences[figure.bucket] = Int128(figure.actual.millionths) - Int128(figure.expected.millionths)
        }
        let events = Dictionary(grouping: moves.filter { $0.bucket != nil }, by: \.version).values.map { moves in
            moves.reduce(into: [Bucket: Int128]()) { event, move in
                if let bucket = move.bucket { event[bucket, default: 0] += Int128(move.delta) }
            }.filter { $0.value != 0 }
        }
        /// Whether the difference is the event times a factor, less `less` of it.
        func explains(_ event: [Bucket: Int128], times up: Int128, over down: Int128, less: Int128) -> Bool {
            !event.isEmpty && Set(event.keys) == Set(differences.keys)
                && event.allSatisfy { (differences[$0] ?? 0) * down == $1 * (up - less * down) }
        }
        if events.contains(where: { explains($0, times: -1, over: 1, less: 1) }) { return .signError }
        let twice = events.filter { explains($0, times: 0, over: 1, less: 1) }
        if twice.count > 1 { return .duplicateEvent }
        let isOtherUnit = events.contains { event in
            factors.contains { factor in
                let (up, down) = (Int128(factor.numerator), Int128(factor.denominator))
                return up != down
                    && (explains(event, times: up, over: down, less: 1)
                        || explains(event, times: down, over: up, less: 1))
            }
        }
        return isOtherUnit ? .uomFactor : nil
    }

    private func isFactor(_ figure: StockDrift.Figure) -> Bool {
        let (actual, expected) = (Int128(figure.actual.millionths), Int128(figure.expected.millionths))
        return factors.contains { factor in
            let (up, down) = (Int128(factor.numerator), Int128(factor.denominator))
            return up != down && expected != 0
                && (actual * down == expected * up || actual * up == expected * down)
        }
    }

    private func agreeByBucket(_ keys: (StockKey) -> Bool) -> Bool {
        Bucket.allCases.allSatisfy { bucket in agree(keys, { $0 == bucket }) }
    }

    private func agree(_ keys: (StockKey) -> Bool, _ buckets: (Bucket) -> Bool) -> Bool {
        func sum(_ side: [StockKey: [Bucket: Quantity]]) -> Int128 {
            side.filter { keys($0.key) }.reduce(0) { sum, line in
                sum + line.value.filter { buckets($0.key) }.reduce(0) { $0 + Int128($1.value.millionths) }
            }
        }
        return sum(export) == sum(ledger)
    }
}
