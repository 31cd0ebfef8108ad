/// Files that are read together: one, or the parts of one export.
struct DropUnit: Equatable {
    var entries: [DropEntry]
    /// Why something that sorts before it was not waited for any longer; it is told.
    var passed: [String] = []

    var name: String { entries.count == 1 ? entries[0].name : "\(entries[0].name) and \(entries.count - 1) more" }
    var order: String { entries[0].order }
}

// Decides which file of a drop directory is read next: a complete one, in order, each after what sorts before it.
// A file that is not complete, or a number that is missing, is waited for; after `patience` the next one is read with
// the reason told. What arrives later than that is read when it comes.

/// A value: it is shown each look, and asked what is next.
struct DropQueue {
    enum Next: Equatable {
        case read(DropUnit)
        /// In words.
        case wait(String)
        /// For longer than anybody has patience for: what comes after it is read.
        case leave(String)
        case idle
    }

    private let settings: DropSettings
    private var waiting: [DropEntry] = []
    /// Before it all were taken; behind it those of `taken` were.
    private var head = 0
    private var taken: Set<String> = []
    var entries: [DropEntry] { waiting[head...].filter { !taken.contains($0.name) } }
    /// By name, where standing still counts: what it looked like, and since when (monotonic milliseconds).
    private var standing: [String: (stamp: String, since: Int64)] = [:]
    private var markers: [String: Int64] = [:]
    /// What is waited for now, each since when.
    private var waits: [String: Int64] = [:]
    /// The number of the last file that was read, and its date.
    private(set) var last: (sequence: Int64, date: String)?

    init(_ settings: DropSettings, last: (sequence: Int64, date: String)?) {
        self.settings = settings
        self.last = last
    }

    var isEmpty: Bool { head == waiting.count }

    mutating func show(_ listing: DropListing, monotonic: Int64) {
        waiting = listing.entries
        head = 0
        taken = []
        markers = listing.markers
        guard case .settle = settings.completion else { return }
        var now: [String: (stamp: String, since: Int64)] = [:]
        for entry in waiting {
            let before = standing[entry.name]
            now[entry.name] = before?.stamp == entry.stamp ? before : (entry.stamp, monotonic)
        }
        standing = now
    }

    /// It was read, refused or set aside: it is not given again.
    mutating func take(_ unit: DropUnit) {
        for entry in unit.entries { taken.insert(entry.name) }
        while head < waiting.count, taken.remove(waiting[head].name) != nil { head += 1 }
        if let sequence = unit.entries[0].said.sequence {
            last = (
                max(sequence, last?.date == unit.entries[0].said.date ? last?.sequence ?? 0 : 0),
                unit.entries[0].said.date
            )
        }
    }

    mutating func next(monotonic: Int64) -> Next {
        var passed: [String] = []
        var stillWaited: [String: Int64] = [:]
        defer { waits = stillWaited }
        var position = head
        while position < waiting.count {
            if taken.contains(waiting[position].name) {
                position += 1
                continue
            }
            let unit = unit(at: position)
            guard let reason = obstacle(unit, monotonic) else {
                return .read(DropUnit(entries: unit, passed: passed))
            }
            let since = waits[reason] ?? monotonic
            stillWaited[reason] = since
            guard monotonic - since >= settings.patience else { return .wait(reason) }
            // Patience is over: what comes after it is not held up; it stays in the queue itself.
            passed.append(reason)
            if reason == gap(before: unit[0]) { return .read(DropUnit(entries: unit, passed: passed)) }
            position += unit.count
        }
        return passed.first.map { .leave($0) } ?? .idle
    }

    /// When something may be complete by standing still; nil: only a new look can tell.
    func nextChange(monotonic: Int64) -> Int64? {
        guard case .settle(let still) = settings.completion else { return nil }
        return standing.values.map { $0.since + still }.filter { $0 > monotonic }.min()
    }

    private func unit(at position: Int) -> [DropEntry] {
        let first = waiting[position]
        guard first.said.part != nil else { return [first] }
        return waiting[position...].prefix { $0.said.export == first.said.export }
            .sorted { ($0.said.part ?? 0) < ($1.said.part ?? 0) }
    }

    // MARK: complete or not

    /// Nil: it may be read.
    private func obstacle(_ unit: [DropEntry], _ monotonic: Int64) -> String? {
        let wanted = unit[0].said.part == nil ? 1 : unit[0].said.parts ?? settings.full?.parts ?? 1
        if unit.count < wanted { return "\(unit[0].name): \(unit.count) of \(wanted) parts are there" }
        if let open = unit.first(where: { !isComplete($0, monotonic) }) { return "\(open.name) is not complete yet" }
        return gap(before: unit[0])
    }

    private func isComplete(_ entry: DropEntry, _ monotonic: Int64) -> Bool {
        switch settings.completion {
        case .renamed: true
        case .settle(let still): standing[entry.name].map { monotonic - $0.since >= still } ?? false
        case .marker(let suffix): marker(of: entry.name, suffix).map { $0 >= entry.modified - Self.coarse } ?? false
        }
    }

    /// FAT and some shares keep times of two seconds.
    private static let coarse: Int64 = 2_000_000_000

    private func marker(of name: String, _ suffix: String) -> Int64? {
        Self.markerNames(of: name, suffix).lazy.compactMap { markers[$0.lowercased()] }.first
    }

    /// `stock.csv.done` and `stock.done`.
    static func markerNames(of name: String, _ suffix: String) -> [String] {
        let stem = name.lastIndex(of: ".").map { String(name[..<$0]) }
        return [name + suffix] + (stem.map { [$0 + suffix] } ?? [])
    }

    private func gap(before entry: DropEntry) -> String? {
        guard let last, let sequence = entry.said.sequence, entry.said.date == last.date, sequence > last.sequence + 1
        else { return nil }
        let missing =
            last.sequence + 2 == sequence ? "number \(sequence - 1)" : "numbers \(last.sequence + 1) to \(sequence - 1)"
        return "\(missing) before \(entry.name) did not come"
    }
}
