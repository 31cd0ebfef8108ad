package import Inventory

/// One `[[source]]` of the configuration, validated.
package struct SourceDefinition: Sendable {
    package var name: String
    package var path: String
    /// A source never read before begins at the end instead of the beginning.
    package var startsAtEnd = false
    /// A source never read before leaves out the files that were last changed before this.
    package var startsAt: Timestamp?
    /// Where compressed rotations are expanded; nil: they cannot be read.
    package var scratchDirectory: String?
    /// How long a rotated file is looked at after it grew last, in milliseconds.
    package var linger: Int64 = 60_000
    /// A last line without newline counts as whole when the file has not grown for so long, in milliseconds.
    package var flushAfter: Int64?
    /// Something comes at least so often, in milliseconds; nil: nobody said so.
    package var expectEvery: Int64?
    /// Nil: a file that grows.
    package var drop: DropSettings?
    package var format: FormatDefinition
    package var mapping: MappingDefinition
    package var timeZone: String

    /// As the configuration and consumers name it.
    package var kind: String { drop == nil ? "tail" : "drop" }

    package init(
        name: String, path: String, format: FormatDefinition, mapping: MappingDefinition, timeZone: String
    ) {
        self.name = name
        self.path = path
        self.format = format
        self.mapping = mapping
        self.timeZone = timeZone
    }
}

/// An SQL expression and where it stands, for error messages.
package struct Expression: Sendable, Equatable {
    package var sql: String
    package var file: String
    package var line: Int
    package var column: Int

    package init(sql: String, file: String = "", line: Int = 0, column: Int = 0) {
        self.sql = sql
        self.file = file
        self.line = line
        self.column = column
    }
}

/// What a rule may give of an event, each by an SQL expression.
package enum MappingField: Int, CaseIterable, Sendable {
    case when, id, sku, gtin, quantity, uom, location, lot, owner, bucket, reason, document, correlation
    case toLocation, toLot, toOwner, toBucket, toSKU
    case expected, counted, unrestricted, quarantined, damaged, blocked, allocated, inTransit
    case occurredAt, reasonText, documentType, documentLine, reverses

    /// The figures of a level, each with its bucket.
    static let levels: [(field: MappingField, bucket: Bucket)] = [
        (.unrestricted, .unrestricted), (.quarantined, .quarantined), (.damaged, .damaged), (.blocked, .blocked),
        (.allocated, .allocated), (.inTransit, .inTransit),
    ]

    /// The key in a configuration.
    package var name: String {
        switch self {
        case .toLocation: "to_location"
        case .toLot: "to_lot"
        case .toOwner: "to_owner"
        case .toBucket: "to_bucket"
        case .toSKU: "to_sku"
        case .inTransit: "in_transit"
        case .occurredAt: "occurred_at"
        case .reasonText: "reason_text"
        case .documentType: "document_type"
        case .documentLine: "document_line"
        default: "\(self)"
        }
    }
}

package struct EventRule: Sendable {
    package var type: EventType
    package var also: Bool
    package var expressions: [MappingField: Expression]
    /// For `stock.reversed`: the type of what is taken back.
    package var reversedType: EventType?

    package init(
        type: EventType, also: Bool, expressions: [MappingField: Expression], reversedType: EventType? = nil
    ) {
        self.type = type
        self.also = also
        self.expressions = expressions
        self.reversedType = reversedType
    }
}

package struct MappingDefinition: Sendable {
    package var rules: [EventRule]
    package var ignores: [Expression]
    /// CSV lookup tables by name: the path of each.
    package var lookups: [String: String]
    /// The canonical reason code (`Reason.codes`) of each of the source's own.
    package var reasons: [String: String]
    /// The CSV file of the SKUs' units: sku, uom, numerator, denominator.
    package var units: String?
    /// The master data that this mapping looks things up in, and its units where they come from there.
    package var masters: [MasterDefinition] = []

    package init(
        rules: [EventRule], ignores: [Expression] = [], lookups: [String: String] = [:], reasons: [String: String] = [:]
    ) {
        self.rules = rules
        self.ignores = ignores
        self.lookups = lookups
        self.reasons = reasons
    }
}

/// One `[[master]]`: master data that the WMS exports whole, for mappings to look things up in.
package struct MasterDefinition: Sendable {
    package var name: String
    /// May hold *, ? and a date: the last file in the order of their names is the one that counts.
    package var path: String
    package var format: FormatDefinition
    /// SQL expressions over a record: key and value, or `units`: SKU, unit, numerator, denominator.
    package var columns: [Expression]
    package var isUnits: Bool

    package init(name: String, path: String, format: FormatDefinition, columns: [Expression], isUnits: Bool) {
        self.name = name
        self.path = path
        self.format = format
        self.columns = columns
        self.isUnits = isUnits
    }
}

/// What stands in the way of a source, for whoever configured it.
package struct IngestError: Error, Sendable, CustomStringConvertible {
    package let message: String
    package let hint: String

    package init(_ message: String, hint: String) {
        self.message = message
        self.hint = hint
    }

    package var description: String { hint.isEmpty ? message : "\(message); \(hint)" }
}
