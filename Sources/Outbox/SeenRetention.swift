import Inventory
import SQLite

/// Moves each source's horizon by whole days and sweeps what lies before it, a piece of the tree at a time.
struct SeenRetention {
    let journal: Journal
    let options: OutboxOptions
    let now: Timestamp
    let trustsAge: Bool

    /// How far a sweep looks in one call.
    private static let reach: Int64 = 4_000

    /// Where a sweep of one source stands.
    struct Sweep {
        let source: Int64
        let horizon: Int64
        var after: [UInt8] = []
    }

    /// What the last look left.
    struct State {
        var sweep: Sweep?
        /// There may be more to sweep.
        var isSweeping = true
        /// The day of the last look, and whether age counted then.
        var day: Int64 = -1
        var trustedAge = false
    }

    private var today: Int64 { now.milliseconds / JournalSource.dayMilliseconds }

    /// Whether a look can find something although nothing was captured since the last one: horizons move by days.
    var isDue: Bool {
        let state = journal.upkeep.seen
        return state.isSweeping || state.day != today || state.trustedAge != trustsAge
    }

    func prune() throws -> Int {
        for (name, source) in journal.sources {
            guard let horizon = try horizon(of: source) else { continue }
            try move(source, name: name, to: horizon)
        }
        journal.upkeep.seen.day = today
        journal.upkeep.seen.trustedAge = trustsAge
        return try sweep()
    }

    /// The first day that is kept, when it rises. The present day is always kept.
    private func horizon(of source: JournalSource) throws -> Int64? {
        let days = try days(of: source)
        var total = days.reduce(0) { $0 + $1.count }
        var horizon: Int64?
        for (day, count) in days.dropLast() {
            guard total > options.seenLimit || trustsAge && day < today - options.seenDays else { break }
            total -= count
            horizon = day + 1
        }
        if trustsAge, let last = days.last, last.day < today - options.seenDays { horizon = last.day + 1 }
        return horizon
    }

    private func days(of source: JournalSource) throws -> [(day: Int64, count: Int64)] {
        let select = journal.upkeep.seenDays
        select.bind(1, source.id)
        defer { select.reset() }
        var days: [(day: Int64, count: Int64)] = []
        while try select.step() { days.append((select.integer(0), select.integer(1))) }
        return days
    }

    private func move(_ source: JournalSource, name: String, to horizon: Int64) throws {
        try journal.connection.transaction {
            try journal.connection.execute(
                """
                UPDATE sources SET horizon = \(horizon) WHERE id = \(source.id);
                DELETE FROM seen_days WHERE source = \(source.id) AND day < \(horizon)
                """)
        }
        journal.sources[name]?.horizon = horizon
    }

    private func sweep() throws -> Int {
        guard var sweep = try journal.upkeep.seen.sweep ?? due() else {
            journal.upkeep.seen.isSweeping = false
            return 0
        }
        journal.upkeep.seen.isSweeping = true
        let (keys, last) = try old(sweep)
        try journal.connection.transaction {
            let delete = journal.statements.deleteSeen
            for key in keys {
                delete.bind(1, sweep.source)
                delete.bind(2, bytes: key)
                try delete.run()
            }
            if last == nil {
                try journal.connection.execute("UPDATE sources SET swept = \(sweep.horizon) WHERE id = \(sweep.source)")
            }
        }
        if let last { sweep.after = last }
        journal.upkeep.seen.sweep = last == nil ? nil : sweep
        return keys.count
    }

    private func due() throws -> Sweep? {
        let select = journal.upkeep.sweepDue
        defer { select.reset() }
        return try select.step() ? Sweep(source: select.integer(0), horizon: select.integer(1)) : nil
    }

    /// At most 1,000 keys to forget, and the last key that was looked at; nil at the end of the tree.
    private func old(_ sweep: Sweep) throws -> (keys: [[UInt8]], last: [UInt8]?) {
        let select = journal.upkeep.oldSeen
        defer { select.reset() }
        select.bind(1, sweep.source)
        select.bind(2, bytes: sweep.after)
        select.bind(3, Self.reach)
        var keys: [[UInt8]] = []
        var last: [UInt8] = []
        var looked: Int64 = 0
        while keys.count < Retention.step, try select.step() {
            looked += 1
            last = select.bytes(0)
            if select.integer(1) < sweep.horizon { keys.append(last) }
        }
        return (keys, looked == Self.reach || keys.count == Retention.step ? last : nil)
    }
}
