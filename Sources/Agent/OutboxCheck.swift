import FoundationEssentials
import Glibc
import Inventory
import Outbox

/// What a look at the whole outbox file found.
package struct VerifyDocument: Codable, Sendable, Equatable {
    package var schema = 1
    package var path: String
    /// In SQLite's words, at most 20; empty is healthy.
    package var problems: [String]

    package init(path: String, problems: [String]) {
        self.path = path
        self.problems = problems
    }
}

/// Looks at an outbox file that no agent has open.
package enum OutboxCheck {
    package enum Failure: Error, Equatable {
        case noFile(path: String)
        case notPermitted(path: String)
    }

    /// Reads the file and its log; changes neither.
    package static func verify(path: String) throws -> VerifyDocument {
        guard access(path, R_OK) == 0 else {
            throw errno == ENOENT ? Failure.noFile(path: path) : Failure.notPermitted(path: path)
        }
        return VerifyDocument(path: path, problems: try Outbox.problems(of: path))
    }

    /// Hands on what can be read of a damaged file, one JSON object a row.
    package static func salvage(path: String, _ line: @escaping (String) -> Void) throws -> SalvageDocument {
        guard access(path, R_OK) == 0 else {
            throw errno == ENOENT ? Failure.noFile(path: path) : Failure.notPermitted(path: path)
        }
        var damaged: [String] = []
        let report = try Salvage.run(path: path) { row in
            if let place = damagedPlace(row) { damaged.append(place) }
            line(try text(row))
        }
        return SalvageDocument(
            unackedEvents: report.unackedEvents, ackedEvents: report.ackedEvents, rejects: report.rejects,
            stockLines: report.stockLines, unreadable: report.unreadable + damaged)
    }

    private struct OwnSequence: Decodable { var sequence: String }

    /// Where an event's bytes are no event any more, or another one's.
    private static func damagedPlace(_ row: SalvagedRow) -> String? {
        guard case .event(let epoch, let lane, let sequence, _, let payload) = row else { return nil }
        let own = try? JSONDecoder().decode(OwnSequence.self, from: Data(payload))
        return own.flatMap { Int64($0.sequence) } == sequence
            ? nil : "the bytes of \(lane.name) \(sequence) of \(epoch)"
    }

    private static func text(_ row: SalvagedRow) throws -> String {
        switch row {
        case .event(let epoch, let lane, let sequence, let isAcked, let payload):
            let place = #""kind":"event","epoch":\#(jsonText(epoch)),"lane":"\#(lane.name)","sequence":\#(sequence)"#
            guard damagedPlace(row) == nil else {
                let bytes = Data(payload).base64EncodedString()
                return #"{"schema":1,\#(place),"acked":\#(isAcked),"damaged_base64":"\#(bytes)"}"#
            }
            let event = String(decoding: payload, as: UTF8.self)
            return #"{"schema":1,\#(place),"acked":\#(isAcked),"event":\#(event)}"#
        case .reject(let reject):
            let record = jsonText(String(decoding: reject.bytes, as: UTF8.self))
            let place = #""source":\#(jsonText(reject.source)),"position":\#(jsonText(reject.position))"#
            return
                #"{"schema":1,"kind":"reject",\#(place),"code":\#(jsonText(reject.reason.code)),"record":\#(record)}"#
        case .stock(let line):
            let figures = Bucket.allCases.map { bucket in
                #""\#(bucket.name)":\#(line.balance[bucket].map { jsonText($0.description) } ?? "null")"#
            }
            let key = line.key
            let place =
                #""sku":\#(jsonText(key.sku)),"location":\#(jsonText(key.location)),"lot":\#(jsonText(key.lot))"#
            return
                #"{"schema":1,"kind":"stock",\#(place),"owner":\#(jsonText(key.owner)),"version":\#(line.balance.version),\#(figures.joined(separator: ","))}"#
        }
    }
}

/// What a salvage could read, and what not.
package struct SalvageDocument: Sendable {
    package var unackedEvents: Int
    package var ackedEvents: Int
    package var rejects: Int
    package var stockLines: Int
    package var unreadable: [String]
}
