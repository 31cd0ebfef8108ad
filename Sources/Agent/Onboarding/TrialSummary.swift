import Inventory

/// What became of a sample.
package struct TrialSummary: Encodable, Sendable {
    package struct Rejects: Encodable, Sendable {
        package var count = 0
        /// The first one, where it stands and why.
        package var example: String
    }

    package var records = 0
    package var eventsByType: [String: Int] = [:]
    package var rejectsByCode: [String: Rejects] = [:]
    /// By the rule's expression.
    package var ignoredByRule: [String: Int] = [:]
    /// No expression names them.
    package var unusedColumns: [String] = []

    package var events: Int { eventsByType.values.reduce(0, +) }
    package var rejects: Int { rejectsByCode.values.reduce(0) { $0 + $1.count } }
    package var ignored: Int { ignoredByRule.values.reduce(0, +) }

    private enum CodingKeys: String, CodingKey {
        case records
        case eventsByType = "events"
        case rejectsByCode = "rejects"
        case ignoredByRule = "ignored"
        case unusedColumns = "unused_columns"
    }

    mutating func note(_ record: CapturedRecord, ignores: [String]) {
        records += 1
        switch record.outcome {
        case .events(let drafts): for draft in drafts { eventsByType[draft.type.rawValue, default: 0] += 1 }
        case .reject(let reason):
            rejectsByCode[reason.code, default: Rejects(example: "\(record.position): \(reason.message)")].count += 1
        case .ignored(let rule): ignoredByRule[rule < ignores.count ? ignores[rule] : "", default: 0] += 1
        }
    }

    /// For people.
    package var lines: [String] {
        var lines = ["\(records) records: \(events) events, \(rejects) rejects, \(ignored) ignored"]
        for (type, count) in eventsByType.sorted(by: { $0.key < $1.key }) { lines.append("  \(count) \(type)") }
        for (code, seen) in rejectsByCode.sorted(by: { $0.key < $1.key }) {
            lines.append("  \(seen.count) rejected as \(code), first \(seen.example)")
        }
        for (rule, count) in ignoredByRule.sorted(by: { $0.key < $1.key }) {
            lines.append("  \(count) ignored where \(rule)")
        }
        if !unusedColumns.isEmpty {
            lines.append("  columns that no expression names: \(unusedColumns.joined(separator: ", "))")
        }
        return lines
    }
}
