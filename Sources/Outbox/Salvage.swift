package import Inventory
import SQLite

// What can still be read of a damaged outbox file. A damaged page fails every read that touches it, so a range of rows that
// fails is halved until what fails is one row; everything around it is read. Nothing is written.

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
    private let connection: Connection
    private let each: (SalvagedRow) throws -> Void
    private var report = SalvageReport()
    /// Reads that failed.
    private var failures = 0
    /// Rows of a table that could not be read, told as one place while they are neighbours.
    private var unread: (words: String, first: Int64, last: Int64)?

    /// Halving goes on no longer than this: some 10 s.
    private static let mostFailures = 1_000_000
    private static let mostTold = 1_000
    private static let page: Int64 = 256

    /// Reads an outbox that no agent has open: un-acked events, acked ones, rejects, stock.
    package static func run(path: String, each: @escaping (SalvagedRow) throws -> Void) throws -> SalvageReport {
        var salvage = Salvage(connection: try Connection(path: path, mode: .readOnly), each: each)
        try salvage.readAll()
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

    private struct LaneRow {
        var epoch: String
        var ordinal: Int64
        var lane: Lane
        var acked: Int64
        var head: Int64

        var isSound: Bool {
            (1..<(1 << 15)).contains(ordinal) && (0..<Slot.lastSequence).contains(acked)
                && (acked...Slot.lastSequence).contains(head)
        }
    }

    /// Where the table cannot be read or holds nonsense, all that is there counts as un-acked: sent twice is lawful.
    private mutating func lanes() -> [LaneRow] {
        var found: [LaneRow] = []
        do {
            let rows = try connection.prepare(
                "SELECT text, ordinal, lane, acked, head FROM lanes JOIN epochs ON ordinal = epoch ORDER BY ordinal DESC"
            )
            while try rows.step() {
                guard let lane = Lane(rawValue: UInt8(truncatingIfNeeded: rows.integer(2))) else { continue }
                let row = LaneRow(
                    epoch: rows.text(0) ?? "", ordinal: rows.integer(1), lane: lane, acked: rows.integer(3),
                    head: rows.integer(4))
                if row.isSound { found.append(row) } else { note("how far \(lane.name) of \(row.epoch) was acked") }
            }
        } catch { note("the table of lanes") }
        if found.isEmpty, report.unreadable.isEmpty { note("the table of lanes") }
        return report.unreadable.isEmpty ? found : everyLane(found)
    }

    private mutating func everyLane(_ known: [LaneRow]) -> [LaneRow] {
        var ordinals = Set(known.map(\.ordinal))
        for order in ["min", "max"] {
            guard let slot = try? connection.integer("SELECT coalesce(\(order)(slot), 0) FROM events"),
                (1..<(1 << 15)).contains(slot >> 48)
            else { continue }
            ordinals.insert(slot >> 48)
        }
        guard let first = ordinals.min(), let last = ordinals.max() else { return known }
        return (first...last).reversed().flatMap { ordinal in
            Lane.allCases.map { lane in
                known.first { $0.ordinal == ordinal && $0.lane == lane }
                    ?? LaneRow(
                        epoch: "epoch \(ordinal)", ordinal: ordinal, lane: lane, acked: 0, head: Slot.lastSequence)
            }
        }
    }

    private mutating func events(_ lane: LaneRow, isAcked: Bool) throws {
        let (first, last) = isAcked ? (1, lane.acked) : (lane.acked + 1, lane.head)
        guard first <= last else { return }
        try walk(first...last, "\(lane.lane.name) of \(lane.epoch)") { salvage, range, limit in
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
        let last = (try? connection.integer("SELECT max(id) FROM rejects")) ?? Slot.lastSequence
        guard last > 0 else { return }
        try walk(1...last, "rejects") { salvage, range, limit in
            try Rejects.list(salvage.connection, source: nil, after: range.lowerBound - 1, limit: limit)
                .filter { $0.id <= range.upperBound }.map { ($0.id, .reject($0)) }
        }
    }

    /// The stock has no numbers to halve: after a damaged place reading ends.
    private mutating func stock() throws {
        var after: StockKey?
        do {
            while true {
                let lines = try StockRows.page(connection, after: after, limit: Int(Self.page))
                for line in lines { try tell(.stock(line)) }
                guard let last = lines.last else { return }
                after = last.key
            }
        } catch let error as SQLiteError where error.isCorrupt {
            note("stock after SKU \(after?.sku ?? "the first")")
        }
    }

    private typealias Read = (inout Salvage, ClosedRange<Int64>, _ limit: Int64) throws -> [(Int64, SalvagedRow)]

    /// Reads the rows of a range page by page. Where a page fails, a window of numbers is halved until what fails is one
    /// row; windows grow while nothing stands in them.
    private mutating func walk(_ range: ClosedRange<Int64>, _ words: String, _ read: Read) throws {
        var next = range.lowerBound
        var width = Self.page
        while next <= range.upperBound {
            if let rows = try attempt(next...range.upperBound, limit: Self.page, read) {
                for (_, row) in rows { try tell(row) }
                guard rows.count == Self.page, let last = rows.last else { break }
                next = last.0 + 1
                width = Self.page
                continue
            }
            guard failures < Self.mostFailures else {
                note("\(words) from \(next) on: too many damaged places")
                break
            }
            let window = next...min(range.upperBound, next + width - 1)
            let found = try halve(window, words, read)
            width = found ? Self.page : width * 2
            next = window.upperBound + 1
        }
        tellUnread()
    }

    /// Whether anything stands in the window.
    private mutating func halve(_ window: ClosedRange<Int64>, _ words: String, _ read: Read) throws -> Bool {
        var open = [window]
        var found = false
        while let part = open.popLast() {
            if let rows = try attempt(part, limit: Self.page, read) {
                for (_, row) in rows { try tell(row) }
                found = found || !rows.isEmpty
                if rows.count == Self.page, let last = rows.last, last.0 < part.upperBound {
                    open.append(last.0 + 1...part.upperBound)
                }
            } else if part.count == 1 {
                found = true
                missed(part.lowerBound, words)
            } else {
                let middle = part.lowerBound + (part.upperBound - part.lowerBound) / 2
                open.append(middle + 1...part.upperBound)
                open.append(part.lowerBound...middle)
            }
        }
        return found
    }

    /// Nil when the file is damaged there.
    private mutating func attempt(
        _ range: ClosedRange<Int64>, limit: Int64, _ read: Read
    ) throws -> [(Int64, SalvagedRow)]? {
        do { return try read(&self, range, limit) } catch let error as SQLiteError where error.isCorrupt {
            failures += 1
            return nil
        }
    }

    private mutating func tell(_ row: SalvagedRow) throws {
        switch row {
        case .event(_, _, _, let isAcked, _):
            if isAcked { report.ackedEvents += 1 } else { report.unackedEvents += 1 }
        case .reject: report.rejects += 1
        case .stock: report.stockLines += 1
        }
        try each(row)
    }

    private mutating func missed(_ number: Int64, _ words: String) {
        if let place = unread, place.words == words, place.last == number - 1 {
            unread = (words, place.first, number)
        } else {
            tellUnread()
            unread = (words, number, number)
        }
    }

    private mutating func tellUnread() {
        guard let place = unread else { return }
        note("\(place.words) \(place.first)" + (place.first == place.last ? "" : "-\(place.last)"))
        unread = nil
    }

    private mutating func note(_ words: String) {
        if report.unreadable.count < Self.mostTold { report.unreadable.append(words) }
    }
}
