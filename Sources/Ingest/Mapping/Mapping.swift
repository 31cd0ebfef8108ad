package import Inventory
import SQLite

// From a record to events, by SQL expressions in a private in-memory connection that may do nothing but compute.
//
// The columns are bound as text to one prepared SELECT a rule; the first rule whose `when` is true applies, and later
// ones only where they say `also`.

package final class Mapping {
    private let definition: MappingDefinition
    private let site: SiteIdentity
    private let source: String
    private let rules: InventoryRules
    private let connection: Connection
    private let notes = MappingFunctions.Notes()
    private var compiled: [CompiledRule] = []
    private var ignores: [Statement] = []
    private var compiledColumns: [String] = []
    /// Eight hex digits over everything that decides what a record becomes.
    package let version: String

    private struct CompiledRule {
        var rule: EventRule
        var fields: [MappingField]
        var condition: Statement
        var select: Statement
    }

    package init(
        _ definition: MappingDefinition, site: SiteIdentity, source: String, rules: InventoryRules, timeZone: String
    ) throws {
        self.definition = definition
        self.site = site
        self.source = source
        self.rules = rules
        let lookups = try Dictionary(
            uniqueKeysWithValues: definition.lookups.map {
                ($0.key, try LookupTable.read(name: $0.key, path: $0.value))
            })
        connection = try Connection(path: "", mode: .memory)
        try MappingFunctions.register(
            on: connection, zone: try TimeZoneRules(name: timeZone), lookups: lookups, notes: notes)
        Sandbox.close(connection)
        version = Self.version(definition, lookups: lookups)
    }

    private static func version(_ definition: MappingDefinition, lookups: [String: [String: String]]) -> String {
        var text = definition.ignores.map(\.sql).joined(separator: "\u{1F}")
        for rule in definition.rules {
            text += "\u{1E}\(rule.type.rawValue)\(rule.also)"
            for field in MappingField.allCases { text += "\u{1F}" + (rule.expressions[field]?.sql ?? "") }
        }
        for (name, table) in lookups.sorted(by: { $0.key < $1.key }) {
            text +=
                "\u{1E}\(name)" + table.sorted { $0.key < $1.key }.map { "\u{1F}\($0.key)\u{1F}\($0.value)" }.joined()
        }
        return String(Digest(sha256: text).hex.prefix(8))
    }

    /// Compiles all expressions for these columns. Throws `IngestError` with file, line, column and the nearest column.
    package func compile(columns: [String]) throws {
        guard columns != compiledColumns else { return }
        let compiler = ExpressionCompiler(connection: connection, columns: columns)
        compiled = try definition.rules.map { rule in
            let fields = MappingField.allCases.filter { $0 != .when && rule.expressions[$0] != nil }
            let always = Expression(sql: "1")
            return CompiledRule(
                rule: rule, fields: fields, condition: try compiler.prepare([rule.expressions[.when] ?? always]),
                select: try compiler.prepare(fields.compactMap { rule.expressions[$0] }))
        }
        ignores = try definition.ignores.map { try compiler.prepare([$0]) }
        compiledColumns = columns
    }

    /// `place`: the record's identity where the mapping gives no id, and its origin.
    package func map(_ record: Record, fallbackIdentity: String, object: String, capturedAt: Timestamp)
        -> CapturedRecord
    {
        let hash = Digest(sha256: record.bytes)
        var identity = RecordIdentity(text: fallbackIdentity, recordHash: hash, isTracked: false)
        let outcome: CapturedRecord.Outcome
        do {
            var drafts: [EventDraft] = []
            for rule in compiled {
                if !drafts.isEmpty, !rule.rule.also { continue }
                guard try isTrue(rule.condition, record) else { continue }
                let fields = try evaluate(rule, record)
                if let id = fields[.id] { identity = RecordIdentity(text: id, recordHash: hash, isTracked: true) }
                let n = drafts.count { $0.type == rule.rule.type }
                let derived = EventID.derive(site: site, source: source, record: identity, type: rule.rule.type, n: n)
                let origin = Origin(
                    source: source, kind: "tail", object: object, position: String(record.offset), key: fields[.id],
                    recordHash: hash)
                let builder = DraftBuilder(
                    type: rule.rule.type, fields: fields, rules: rules, timeQuality: notes.timeQuality)
                drafts.append(
                    try builder.build(
                        id: derived.id, traceparent: derived.traceparent, origin: origin, capturedAt: capturedAt,
                        mappingVersion: version))
            }
            outcome = drafts.isEmpty ? try unmatched(record) : .events(drafts)
        } catch {
            outcome = .reject(Self.reason(of: error))
        }
        return CapturedRecord(
            identity: identity, outcome: outcome, bytes: record.bytes, position: "\(object):\(record.offset)")
    }

    private func unmatched(_ record: Record) throws -> CapturedRecord.Outcome {
        for (index, ignore) in ignores.enumerated() where try isTrue(ignore, record) { return .ignored(rule: index) }
        return .reject(
            RejectReason(
                code: "unmapped", message: "no [[source.event]] and no [[source.ignore]] applies to this record"))
    }

    private func isTrue(_ statement: Statement, _ record: Record) throws -> Bool {
        defer { statement.reset() }
        bind(record, to: statement)
        return try statement.step() && statement.integer(0) != 0
    }

    private func evaluate(_ rule: CompiledRule, _ record: Record) throws -> [MappingField: String] {
        defer { rule.select.reset() }
        notes.timeQuality = .exact
        bind(record, to: rule.select)
        var fields: [MappingField: String] = [:]
        guard try rule.select.step() else { return fields }
        for (index, field) in rule.fields.enumerated() {
            if let text = rule.select.text(Int32(index)), !text.isEmpty { fields[field] = text }
        }
        return fields
    }

    private func bind(_ record: Record, to statement: Statement) {
        for (index, value) in record.values.enumerated() { statement.bind(Int32(index + 1), text: value) }
    }

    private static func reason(of error: any Error) -> RejectReason {
        if let error = error as? InventoryError { return RejectReason(code: error.code, message: error.message) }
        guard let error = error as? SQLiteError else { return RejectReason(code: "mapping", message: "\(error)") }
        let parts = error.message.split(separator: "|", maxSplits: 1)
        if parts.count == 2 { return RejectReason(code: String(parts[0]), message: String(parts[1])) }
        return RejectReason(code: "mapping", message: error.message)
    }
}
