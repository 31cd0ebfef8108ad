package import Inventory
import SQLite

// From a record to events, by SQL expressions in a private in-memory connection that may do nothing but compute.
//
// The columns are bound as text. One prepared SELECT says which rule's `when` is the first that is true, and gives that
// rule's fields; later rules apply only where they say `also`.

/// What a row of a full export is.
enum LevelRow {
    case level(StockLevel)
    case ignored
    /// With its key where that much could be read.
    case reject(RejectReason, StockKey?)
}

package final class Mapping {
    private let definition: MappingDefinition
    private let site: SiteIdentity
    private let source: String
    private let kind: String
    private let rules: InventoryRules
    private let connection: Connection
    private let notes = MappingFunctions.Notes()
    private let zone: LocalTimeReader
    private var compiled: [CompiledRule] = []
    /// The first rule that applies with its fields, else the first ignore rule.
    private var choice: [RecordQuery] = []
    private var compiledColumns: [String] = []
    private var fields = MappedFields()
    private let lookups: LookupTables
    /// Eight hex digits over everything that decides what a record becomes.
    package private(set) var version: String

    /// A class, since it is taken up for each record.
    private final class CompiledRule {
        let rule: EventRule
        let fields: [MappingField]
        /// Of one that may apply after another: whether it does, and its fields.
        let also: (when: RecordQuery, select: RecordQuery)?

        init(rule: EventRule, fields: [MappingField], also: (when: RecordQuery, select: RecordQuery)?) {
            self.rule = rule
            self.fields = fields
            self.also = also
        }
    }

    package init(
        _ definition: MappingDefinition, site: SiteIdentity, source: String, kind: String = "tail",
        rules: InventoryRules, timeZone: String
    ) throws {
        self.kind = kind
        self.definition = definition
        self.site = site
        self.source = source
        self.rules = rules
        lookups = try LookupTables(definition)
        connection = try Connection(path: "", mode: .memory)
        zone = LocalTimeReader(try TimeZoneRules(name: timeZone))
        try MappingFunctions.register(on: connection, zone: zone, lookups: lookups, notes: notes)
        Sandbox.close(connection)
        version = Self.version(definition, tables: lookups.contents)
    }

    /// Reads lookup tables that changed, for the records to come; says what happened, in words.
    package func reloadLookups() -> [String] {
        let notices = lookups.reload()
        if !notices.isEmpty { version = Self.version(definition, tables: lookups.contents) }
        return notices
    }

    private static func version(_ definition: MappingDefinition, tables: [String: [[String]]]) -> String {
        var text = definition.reasons.sorted { $0.key < $1.key }.map { "\($0.key)\u{1F}\($0.value)" }.joined()
        text += definition.ignores.map(\.sql).joined(separator: "\u{1F}")
        for rule in definition.rules {
            text += "\u{1E}\(rule.type.rawValue)\(rule.also)\(rule.reversedType?.rawValue ?? "")"
            for field in MappingField.allCases { text += "\u{1F}" + (rule.expressions[field]?.sql ?? "") }
        }
        for (name, rows) in tables.sorted(by: { $0.key < $1.key }) {
            text += "\u{1E}\(name)" + rows.map { "\u{1F}" + $0.joined(separator: "\u{1D}") }.joined()
        }
        return String(Digest(sha256: text).hex.prefix(8))
    }

    /// The SQL of all expressions.
    var expressions: [String] {
        definition.rules.flatMap { $0.expressions.values.map(\.sql) } + definition.ignores.map(\.sql)
    }

    /// Compiles all expressions for these columns. Throws `IngestError` with file, line, column and the nearest column.
    package func compile(columns: [String]) throws {
        guard columns != compiledColumns else { return }
        let compiler = ExpressionCompiler(connection: connection, columns: columns)
        let conditions = definition.rules.map { $0.expressions[.when] ?? Expression(sql: "1") }
        var cases: [ExpressionCompiler.Case] = []
        compiled = try zip(definition.rules, conditions).map { rule, condition in
            let fields = MappingField.allCases.filter { $0 != .when && rule.expressions[$0] != nil }
            let expressions = fields.compactMap { rule.expressions[$0] }
            cases.append(.init(condition: condition, fields: expressions))
            guard rule.also else { return CompiledRule(rule: rule, fields: fields, also: nil) }
            let also = (try compiler.prepare([condition]), try compiler.prepare(expressions))
            return CompiledRule(rule: rule, fields: fields, also: also)
        }
        choice = try compiler.prepareChoice(cases + definition.ignores.map { .init(condition: $0) })
        compiledColumns = columns
    }

    /// `fallbackIdentity`: the record's, where the mapping gives no id.
    package func map(
        _ record: Record, fallbackIdentity: @autoclosure () -> String, object: String, capturedAt: Timestamp
    ) -> CapturedRecord {
        let hash = Digest(sha256: record.bytes)
        var identity: RecordIdentity?
        let outcome: CapturedRecord.Outcome
        do {
            outcome = try events(
                of: record, hash: hash, identity: &identity, fallback: fallbackIdentity, object: object,
                capturedAt: capturedAt)
        } catch {
            outcome = .reject(Self.reason(of: error))
        }
        return CapturedRecord(
            identity: identity ?? RecordIdentity(text: fallbackIdentity(), recordHash: hash, isTracked: false),
            outcome: outcome, bytes: record.repeatable, position: RecordPosition(object: object, offset: record.offset))
    }

    private func events(
        of record: Record, hash: Digest, identity: inout RecordIdentity?, fallback: () -> String, object: String,
        capturedAt: Timestamp
    ) throws -> CapturedRecord.Outcome {
        let chosen = try choose(record)
        guard chosen < compiled.count else { return unmatched(ignore: chosen - compiled.count) }
        var drafts: [EventDraft] = []
        for index in chosen..<compiled.count {
            let rule = compiled[index]
            guard try index == chosen || applies(rule, record) else { continue }
            if let id = fields[.id] { identity = RecordIdentity(text: id, recordHash: hash, isTracked: true) }
            let known = identity ?? RecordIdentity(text: fallback(), recordHash: hash, isTracked: false)
            if identity == nil { identity = known }
            let type = rule.rule.type
            let n = drafts.isEmpty ? 0 : drafts.count { $0.type == type }
            let derived = EventID.derive(site: site, source: source, record: known, type: type, n: n)
            let origin = Origin(
                source: source, kind: kind, object: object, position: String(record.offset), key: fields[.id],
                recordHash: hash)
            try builder(rule).build(
                derived, origin: origin, capturedAt: capturedAt, mappingVersion: version, into: &drafts)
        }
        return .events(drafts)
    }

    private func builder(_ rule: CompiledRule) -> DraftBuilder {
        DraftBuilder(
            type: rule.rule.type, reversedType: rule.rule.reversedType, fields: fields, rules: rules,
            timeQuality: fields.isInstant ? .exact : notes.timeQuality, reasons: definition.reasons,
            units: lookups.units)
    }

    /// The factors of a SKU's units, where there is a table of units.
    func factors(ofSKU sku: String) -> [(numerator: Int64, denominator: Int64)] {
        lookups.units?.factors(ofSKU: sku) ?? []
    }

    /// A time of the source's zone, as names of files have it; nil for what is none.
    func localTime(_ text: String, _ pattern: String) -> Timestamp? {
        var (text, pattern) = (text, pattern)
        let civil = text.withUTF8 { text in pattern.withUTF8 { TimePattern.read(.init(text), pattern: .init($0)) } }
        guard let civil else { return nil }
        return switch zone.resolve(civil.moment) {
        case .exact(let moment), .ambiguous(let moment): moment
        case .gap: nil
        }
    }

    /// What a record of a full export says: the first rule that applies names a key and its figures.
    func level(of record: Record) -> LevelRow {
        var key: StockKey?
        do {
            let chosen = try choose(record)
            guard chosen < compiled.count else {
                if case .reject(let reason) = unmatched(ignore: chosen - compiled.count) { return .reject(reason, nil) }
                return .ignored
            }
            return .level(try builder(compiled[chosen]).level(key: &key))
        } catch { return .reject(Self.reason(of: error), key) }
    }

    private var ignoreCount: Int { definition.ignores.count }

    private func unmatched(ignore: Int) -> CapturedRecord.Outcome {
        if ignore < ignoreCount { return .ignored(rule: ignore) }
        return .reject(
            RejectReason(
                code: "unmapped", message: "no [[source.event]] and no [[source.ignore]] applies to this record"))
    }

    /// The index of the first rule that applies, with its fields in `fields`; behind the rules that of an ignore rule, and
    /// behind those none.
    private func choose(_ record: Record) throws -> Int {
        notes.timeQuality = .exact
        for query in choice {
            let chosen = try query.evaluate(record) { row in
                let index = Int(row.integer(0))
                if index < compiled.count { try fields.read(row, compiled[index].fields, from: 1) }
                return index
            }
            if let chosen { return chosen }
        }
        return compiled.count + ignoreCount
    }

    /// Whether it applies beside the first one; its fields are in `fields` then.
    private func applies(_ rule: CompiledRule, _ record: Record) throws -> Bool {
        guard let also = rule.also, try also.when.evaluate(record, { $0.integer(0) != 0 }) ?? false else {
            return false
        }
        notes.timeQuality = .exact
        _ = try also.select.evaluate(record) { try fields.read($0, rule.fields) }
        return true
    }

    private static func reason(of error: any Error) -> RejectReason {
        if let error = error as? InventoryError { return RejectReason(code: error.code, message: error.message) }
        guard let error = error as? SQLiteError else { return RejectReason(code: "mapping", message: "\(error)") }
        let parts = error.message.split(separator: "|", maxSplits: 1)
        if parts.count == 2 { return RejectReason(code: String(parts[0]), message: String(parts[1])) }
        return RejectReason(code: "mapping", message: error.message)
    }
}
