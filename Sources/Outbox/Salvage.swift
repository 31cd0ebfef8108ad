package import Inventory
import SQLite

// What can still be read of a damaged outbox file. A damaged page fails every read that touches it, so where a page of rows
// fails they are read one by one, and what fails then is told. SQLite does not notice every damage: rows that are out of order
// count as unreadable, and where sequences are known to be without a gap, a gap is told. Nothing is written.

package enum SalvagedRow: Sendable {
    case event(epoch: String, lane: Lane, sequence: Int64, isAcked: Bool, payload: [UInt8])
    case reject(StoredReject)
    case stock(BalanceLine)
}

package struct SalvageReport: Sendable, Equatable {
    package var unackedEvents = 0
    package var ackedEvents = 0
    package var rejects = 0
    package var stockLines = 0
    /// Places that could not be read, in words.
    package var unreadable: [String] = []

    package init() {}
}

package struct Salvage {
    let connection: Connection
    private let each: (SalvagedRow) throws -> Void
    private var report = SalvageReport()
    /// Places beyond those that are told one by one.
    private var untold = 0
    /// Of events' payloads.
    private var toldBytes: Int64 = 0
    /// Rows of a table that could not be read, told as one place while they are neighbours.
    private var unread: (words: String, first: Int64, last: Int64)?

    /// Of one lane; to try so many takes some 10 s.
    private static let mostMissed = 1_000_000
    private static let mostTold = 1_000
    private static let page: Int64 = 256

    /// Reads an outbox that no agent has open: un-acked events, acked ones, rejects, stock.
    package static func run(path: String, each: @escaping (SalvagedRow) throws -> Void) throws -> SalvageReport {
        var salvage = Salvage(connection: try Connection(path: path, mode: .readOnly), each: each)
        try salvage.readAll()
        if salvage.untold > 0 { salvage.report.unreadable.append("and \(salvage.untold) more places") }
        return salvage.report
    }

    private init(connection: Connection, each: @escaping (SalvagedRow) throws -> Void) {
        self.connection = connection
        self.each = each
    }

    private mutating func readAll() throws {
        let lanes = lanes()
        for isAcked in [false, true] {
            for lane in lanes { try events(lane, isAcked: isAcked) }
        }
        try rejects()
        try stock()
    }

    private mutating func events(_ lane: LaneRow, isAcked: Bool) throws {
        let (first, last) = isAcked ? (1, lane.acked) : (lane.acked + 1, lane.head)
        let words = "\(lane.lane.name) of \(lane.epoch)"
        let read = Self.reader(of: lane, isAcked: isAcked)
        let numbers: Numbers = !lane.isKnown ? .fromTheFirst : isAcked ? .fromTheFirstToTheEnd : .all
        let before = toldBytes
        if first <= last { try walk(first...last, numbers, words, read) }
        let unackedBytes = toldBytes - before
        let lacking = lane.kept - (toldBytes - before)
        // Nobody knows where acked events begin; how much they were tells whether all were found.
        if isAcked, lane.isKnown, lacking > 0 { note("\(words): \(lacking) bytes of acked events are missing") }
        // A head that is too low hides what stands above it, and nothing else would tell.
        if !isAcked, lane.isKnown, last < Slot.lastSequence {
            try walk(last + 1...Slot.lastSequence, .fromTheFirst, "beyond the head, \(words)", read)
            if toldBytes > before + unackedBytes { note("\(words): it has events beyond its head \(last)") }
        }
    }

    private static func reader(of lane: LaneRow, isAcked: Bool) -> Read {
        { salvage, range, limit in
            let select = try salvage.connection.prepare(
                "SELECT slot, payload FROM events WHERE slot >= ?1 AND slot <= ?2 ORDER BY slot LIMIT ?3")
            select.bind(1, Slot(epoch: lane.ordinal, lane: lane.lane, sequence: range.lowerBound).packed)
            select.bind(2, Slot(epoch: lane.ordinal, lane: lane.lane, sequence: range.upperBound).packed)
            select.bind(3, limit)
            var rows: [(Int64, SalvagedRow)] = []
            while try select.step() {
                let sequence = Slot(packed: select.integer(0)).sequence
                let row = SalvagedRow.event(
                    epoch: lane.epoch, lane: lane.lane, sequence: sequence, isAcked: isAcked, payload: select.bytes(1))
                rows.append((sequence, row))
            }
            return rows
        }
    }

    private mutating func rejects() throws {
        try walk(1...Slot.lastSequence, .some, "rejects") { salvage, range, limit in
            try Rejects.list(salvage.connection, source: nil, after: range.lowerBound - 1, limit: limit)
                .filter { $0.id <= range.upperBound }.map { ($0.id, .reject($0)) }
        }
    }

    /// The stock has no numbers to go by: after a damaged place reading ends.
    private mutating func stock() throws {
        var after: StockKey?
        do {
            while true {
                let lines = try StockRows.page(connection, after: after, limit: Int(Self.page))
                for line in lines {
                    guard after.map({ $0 < line.key }) ?? true else { return note("stock after SKU \(line.key.sku)") }
                    try tell(.stock(line))
                    after = line.key
                }
                if lines.isEmpty { return }
            }
        } catch is SQLiteError {
            note("stock after SKU \(after?.sku ?? "the first")")
        }
    }

    /// Which numbers of a range have a row in a sound file.
    private enum Numbers {
        case all
        /// What was pruned has none.
        case fromTheFirstToTheEnd
        /// And nobody knows where they end.
        case fromTheFirst
        case some
    }

    private typealias Read = (inout Salvage, ClosedRange<Int64>, _ limit: Int64) throws -> [(Int64, SalvagedRow)]

    /// Reads the rows of a range page by page, and one by one after a page that failed.
    private mutating func walk(
        _ range: ClosedRange<Int64>, _ numbers: Numbers, _ words: String, _ read: Read
    ) throws {
        var place = Place(next: range.lowerBound)
        while place.next <= range.upperBound, place.missed < Self.mostMissed {
            let limit = place.singles > 0 ? 1 : Self.page
            let rows = try attempt(place.next...range.upperBound, limit: limit, read)
            if rows == nil, place.singles == 0 {
                place.singles = Self.page
                continue
            }
            if let rows {
                let isWhole = try take(rows, &place, numbers, words)
                if isWhole, rows.count == limit { continue }
                let hasEnd = numbers == .all || place.hasTold && numbers == .fromTheFirstToTheEnd
                if isWhole, !hasEnd || place.next > range.upperBound || place.missedInARow >= Self.page {
                    if hasEnd, place.next <= range.upperBound { miss(place.next...range.upperBound, words) }
                    break
                }
            }
            miss(place.next...place.next, words)
            place.passOne(singles: Self.page)
            // Numbers that perhaps never had a row all fail where they lead to one damaged page.
            if rows == nil, place.missedInARow == Self.page, numbers != .all,
                !place.hasTold || numbers != .fromTheFirstToTheEnd
            {
                let found = try gallop(from: place.next, in: range, read)
                if found > place.next { miss(place.next...found - 1, words) }
                place.next = found
            }
        }
        if place.missed >= Self.mostMissed, place.next <= range.upperBound {
            miss(place.next...range.upperBound, words)
        }
        tellUnread()
    }

    /// How far a walk is.
    private struct Place {
        var next: Int64
        var hasTold = false
        /// Rows that are still read one by one.
        var singles: Int64 = 0
        var missed = 0
        var missedInARow: Int64 = 0

        mutating func passOne(singles: Int64) {
            next += 1
            missed += 1
            missedInARow += 1
            self.singles = singles
        }
    }

    /// Tells rows. False before one that leaves a gap where none should be: a number out of order may hide those between,
    /// so they are looked for first.
    private mutating func take(
        _ rows: [(Int64, SalvagedRow)], _ place: inout Place, _ numbers: Numbers, _ words: String
    ) throws -> Bool {
        place.singles = max(0, place.singles - 1)
        for (number, row) in rows {
            if number > place.next, numbers == .all || place.hasTold && numbers != .some {
                guard place.missedInARow >= Self.page else { return false }
                miss(place.next...number - 1, words)
            }
            try tell(row)
            (place.next, place.hasTold, place.missedInARow) = (number + 1, true, 0)
        }
        return true
    }

    /// A number above which reading goes on, the one behind the range where it never does.
    private mutating func gallop(from first: Int64, in range: ClosedRange<Int64>, _ read: Read) throws -> Int64 {
        guard first <= range.upperBound else { return first }
        var (failing, readable) = (first - 1, first)
        var width = Self.page
        while try attempt(readable...readable, limit: 1, read) == nil {
            guard readable < range.upperBound else { return range.upperBound + 1 }
            failing = readable
            readable = range.upperBound - readable > width ? readable + width : range.upperBound
            width *= 2
        }
        while readable - failing > 1 {
            let middle = failing + (readable - failing) / 2
            if try attempt(middle...middle, limit: 1, read) != nil { readable = middle } else { failing = middle }
        }
        return readable
    }

    /// Nil when the file is damaged there.
    private mutating func attempt(
        _ range: ClosedRange<Int64>, limit: Int64, _ read: Read
    ) throws -> [(Int64, SalvagedRow)]? {
        do {
            let rows = try read(&self, range, limit)
            var last = range.lowerBound - 1
            for (number, _) in rows {
                guard number > last, number <= range.upperBound else { return nil }
                last = number
            }
            return rows
        } catch is SQLiteError {
            // Whatever SQLite calls it: damage shows as an I/O error or a wrong type too.
            return nil
        }
    }

    private mutating func tell(_ row: SalvagedRow) throws {
        switch row {
        case .event(_, _, _, let isAcked, let payload):
            toldBytes += Int64(payload.count)
            if isAcked { report.ackedEvents += 1 } else { report.unackedEvents += 1 }
        case .reject: report.rejects += 1
        case .stock: report.stockLines += 1
        }
        try each(row)
    }

    private mutating func miss(_ range: ClosedRange<Int64>, _ words: String) {
        if let place = unread, place.words == words, place.last == range.lowerBound - 1 {
            unread = (words, place.first, range.upperBound)
        } else {
            tellUnread()
            unread = (words, range.lowerBound, range.upperBound)
        }
    }

    private mutating func tellUnread() {
        guard let place = unread else { return }
        note("\(place.words) \(place.first)" + (place.first == place.last ? "" : "-\(place.last)"))
        unread = nil
    }

    mutating func note(_ words: String) {
        if report.unreadable.count < Self.mostTold { report.unreadable.append(words) } else { untold += 1 }
    }
}
