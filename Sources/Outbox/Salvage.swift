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
    private var attempts = 0

    /// Halving goes on no longer than this.
    private static let mostAttempts = 100_000
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
            for lane in lanes {
                let range = isAcked ? 0...lane.acked : lane.acked + 1...max(lane.acked + 1, lane.head)
                try events(lane, range, isAcked: isAcked)
            }
        }
        try rejects(0...(last("rejects") ?? 0))
        try stock()
    }

    private struct LaneRow {
        var epoch: String
        var ordinal: Int64
        var lane: Lane
        var acked: Int64
        var head: Int64
    }

    private mutating func lanes() -> [LaneRow] {
        do {
            let rows = try connection.prepare(
                "SELECT text, ordinal, lane, acked, head FROM lanes JOIN epochs ON ordinal = epoch ORDER BY ordinal DESC"
            )
            var found: [LaneRow] = []
            while try rows.step() {
                guard let lane = Lane(rawValue: UInt8(truncatingIfNeeded: rows.integer(2))) else { continue }
                found.append(
                    LaneRow(
                        epoch: rows.text(0) ?? "", ordinal: rows.integer(1), lane: lane, acked: rows.integer(3),
                        head: rows.integer(4)))
            }
            return found
        } catch {
            note("the table of lanes")
            return []
        }
    }

    private mutating func events(_ lane: LaneRow, _ range: ClosedRange<Int64>, isAcked: Bool) throws {
        try halve(range, "\(lane.lane.name) of \(lane.epoch)") { salvage, range in
            let select = try salvage.connection.prepare(
                "SELECT slot, payload FROM events WHERE slot >= ?1 AND slot <= ?2 ORDER BY slot")
            select.bind(1, Slot(epoch: lane.ordinal, lane: lane.lane, sequence: range.lowerBound).packed)
            select.bind(2, Slot(epoch: lane.ordinal, lane: lane.lane, sequence: range.upperBound).packed)
            var rows: [SalvagedRow] = []
            while try select.step() {
                let sequence = Slot(packed: select.integer(0)).sequence
                rows.append(
                    .event(
                        epoch: lane.epoch, lane: lane.lane, sequence: sequence, isAcked: isAcked,
                        payload: select.bytes(1)))
            }
            if isAcked { salvage.report.ackedEvents += rows.count } else { salvage.report.unackedEvents += rows.count }
            return rows
        }
    }

    private mutating func rejects(_ range: ClosedRange<Int64>) throws {
        try halve(range, "rejects") { salvage, range in
            let count = range.upperBound - range.lowerBound + 1
            let found = try Rejects.list(
                salvage.connection, source: nil, after: range.lowerBound - 1, limit: count
            ).filter { $0.id <= range.upperBound }
            salvage.report.rejects += found.count
            return found.map { .reject($0) }
        }
    }

    /// The stock has no numbers to halve: after a damaged place reading ends.
    private mutating func stock() throws {
        var after: StockKey?
        do {
            while true {
                let lines = try StockRows.page(connection, after: after, limit: Int(Self.page))
                for line in lines { try each(.stock(line)) }
                report.stockLines += lines.count
                guard let last = lines.last else { return }
                after = last.key
            }
        } catch let error as SQLiteError where error.isCorrupt {
            note("stock after SKU \(after?.sku ?? "the first")")
        }
    }

    private func last(_ table: String) -> Int64? { try? connection.integer("SELECT max(id) FROM \(table)") }

    private mutating func halve(
        _ range: ClosedRange<Int64>, _ words: String,
        _ read: (inout Salvage, ClosedRange<Int64>) throws -> [SalvagedRow]
    ) throws {
        var open = stride(from: range.lowerBound, through: range.upperBound, by: Int(Self.page)).map {
            $0...min(range.upperBound, $0 + Self.page - 1)
        }
        open.reverse()
        while let part = open.popLast() {
            attempts += 1
            guard attempts < Self.mostAttempts else {
                return note("\(words) from \(part.lowerBound) on: too many damaged places")
            }
            let before = report
            do {
                for row in try read(&self, part) { try each(row) }
            } catch let error as SQLiteError where error.isCorrupt {
                report = before
                if part.count == 1 {
                    note("\(words) \(part.lowerBound)")
                } else {
                    let middle = (part.lowerBound + part.upperBound) / 2
                    open.append(middle + 1...part.upperBound)
                    open.append(part.lowerBound...middle)
                }
            }
        }
    }

    private mutating func note(_ words: String) {
        if report.unreadable.count < Self.mostTold { report.unreadable.append(words) }
    }
}
