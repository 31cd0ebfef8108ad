import Contract
import FoundationEssentials
import Inventory
import Outbox

/// What became of the records that made a balance: read, appended, acked, receipted, sent again.
struct WhyStory {
    static let mostEvents = 1_000

    private let sku: String
    private let replays: [AuditEntry]

    init(sku: String, replays: [AuditEntry]) {
        self.sku = sku
        self.replays = replays
    }

    func tell(_ events: [ToldEvent], _ reader: OutboxReader) throws -> [WhyDocument] {
        try events.flatMap { try tell($0, reader) }.enumerated()
            .sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element)
    }

    private func tell(_ event: ToldEvent, _ reader: OutboxReader) throws -> [WhyDocument] {
        let told = readWire(Told.self, from: event.payload)
        func line(_ at: Timestamp, _ what: String, _ words: String) -> WhyDocument {
            WhyDocument(
                at: at.description, what: what, lane: event.lane.name, epoch: event.epoch.text,
                sequence: event.sequence,
                words: words)
        }
        var lines: [WhyDocument] = []
        if let origin = told?.data.origin {
            let key = origin.key.map { ", its own id \($0)" } ?? ""
            lines.append(
                line(
                    event.capturedAt, "record", "\(origin.object) at \(origin.position) (source \(origin.source))\(key)"
                ))
        }
        lines.append(line(event.capturedAt, "event", words(told)))
        let marks = try reader.marks(lane: event.lane, of: event.epoch, sequence: event.sequence)
        if event.isAcked {
            let at = marks.first { $0.who.isEmpty }?.at
            lines.append(
                line(
                    max(at ?? event.capturedAt, event.capturedAt), "acked",
                    at == nil ? "by the broker, at a time not kept" : "by the broker"))
        } else {
            lines.append(line(event.capturedAt, "waiting", "not acked by the broker yet"))
        }
        for mark in marks where !mark.who.isEmpty {
            lines.append(line(max(mark.at, event.capturedAt), "receipt", "\(mark.who) has it"))
        }
        for entry in replays where covers(entry, event) {
            lines.append(line(entry.at, "replay", "\(entry.actor): \(entry.subject), \(entry.outcome)"))
        }
        return lines
    }

    /// Whether a replay's subject, `lane from-to of epoch…`, takes the event in.
    private func covers(_ entry: AuditEntry, _ event: ToldEvent) -> Bool {
        let words = entry.subject.split(separator: " ")
        guard entry.outcome == "accepted", words.count >= 4, words[0] == event.lane.name, words[3] == event.epoch.text
        else { return false }
        let ends = words[1].split(separator: "-").compactMap { Int64($0) }
        return ends.count == 2 && ends[0] <= event.sequence && event.sequence <= ends[1]
    }

    private func words(_ told: Told?) -> String {
        guard let told else { return "an event that cannot be read" }
        func isOurs(_ named: String?) -> Bool { (named ?? told.subject ?? "").hasBytes(of: sku) }
        let changes = (told.data.changes ?? []).filter { isOurs($0.sku) }.map {
            "\($0.bucket) \($0.delta.hasPrefix("-") ? "" : "+")\($0.delta)\($0.location.map { " at \($0)" } ?? "")"
        }
        let after = (told.data.balances ?? []).filter { isOurs($0.sku) }.map {
            "\($0.location ?? "the site") version \($0.version): unrestricted \($0.unrestricted ?? "unknown")"
        }
        return ([told.type] + changes + after).joined(separator: "; ")
    }

    private struct Told: Decodable {
        struct Payload: Decodable {
            var origin: Origin?
            var changes: [Change]?
            var balances: [Line]?
        }

        struct Origin: Decodable {
            var source: String
            var object: String
            var position: String
            var key: String?
        }

        struct Change: Decodable {
            var sku: String?
            var location: String?
            var bucket: String
            var delta: String
        }

        struct Line: Decodable {
            var sku: String?
            var location: String?
            var version: Int64
            var unrestricted: String?
        }

        var type: String
        var subject: String?
        var data: Payload
    }
}
