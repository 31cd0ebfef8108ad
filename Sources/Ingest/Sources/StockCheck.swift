import Inventory
import SQLite

// The stock that the ledger adds up to, against the last full export, key by key: first the keys of the export, then
// those that only the ledger knows. Both in pages, so that a million keys hold nothing up.
//
// A key that an event touched after the export's time, less a margin, says nothing and is left for the next export. A
// bucket that the ledger does not know yet takes the export's figure: that is its baseline. What differs is told once, and
// again when it differs otherwise.

/// What a check says of one key.
enum Finding: Equatable {
    case equal
    /// Touched since, so nobody can tell.
    case left
    /// The ledger did not know these buckets.
    case baseline(StockLevel)
    case drift(StockDrift)
}

/// Holds one key's stock against its export; a value.
struct StockComparison {
    /// The buckets that the export speaks of at all.
    let buckets: Set<Bucket>
    let asOf: Timestamp

    /// What an event may still be on its way for, in milliseconds.
    static let margin: Int64 = 15 * 60_000

    /// `export` names what its rows say; a bucket that they leave out is 0.
    func finding(_ key: StockKey, export: [Bucket: Quantity], ledger: KnownStock?) -> Finding {
        if let ledger, ledger.touchedAt.milliseconds > asOf.milliseconds - Self.margin { return .left }
        var unknown: [Bucket: Quantity] = [:]
        var figures: [StockDrift.Figure] = []
        for bucket in Bucket.allCases where buckets.contains(bucket) {
            let actual = export[bucket] ?? .zero
            guard let expected = ledger?.balance[bucket] else {
                if export[bucket] != nil { unknown[bucket] = actual }
                continue
            }
            if actual != expected { figures.append(.init(bucket: bucket, expected: expected, actual: actual)) }
        }
        if !figures.isEmpty {
            return .drift(StockDrift(key: key, figures: figures, cause: .unknown, asOf: asOf))
        }
        return unknown.isEmpty ? .equal : .baseline(StockLevel(key: key, buckets: unknown))
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

    func cause(of drift: StockDrift) -> StockDrift.Cause {
        let figures = drift.figures
        if figures.allSatisfy({ $0.actual.millionths == -$0.expected.millionths }) { return .signError }
        if figures.allSatisfy(isFactor) { return .uomFactor }
        let key = drift.key
        if agree({ $0 == key }, { $0.isOnHand }) { return .statusMismatch }
        if agreeByBucket({ $0.location == key.location && $0.owner == key.owner }) { return .lotMismatch }
        if agreeByBucket({ _ in true }) { return .locationMismatch }
        if let before, figures.allSatisfy({ before[$0.bucket] == $0.expected }) { return .missingEvent }
        return .unknown
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
