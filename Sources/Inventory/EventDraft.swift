/// An event as a mapping made it: all but what only the outbox knows (epoch, sequence, balances after it).
package struct EventDraft: Sendable, Equatable {
    package var id: EventID
    package var type: EventType
    package var sku: String
    package var gtin: String?
    package var quantity: MeasuredQuantity?
    /// What changes, in order; empty for counted, packed, levels and the like.
    package var changes: [StockChange] = []
    /// Absolute balances, for `stock.level` only.
    package var levels: [StockLevel] = []
    /// The levels were found by comparing: they say nothing where the stock is so already, and what changed beside.
    package var isCompared = false
    package var basis = LevelBasis.figures
    /// Of a compared level: by how much it differs from the stock that it met, bucket by bucket.
    package var difference: [StockChange] = []
    /// For `stock.counted` only.
    package var count: StockCount?
    package var reason: Reason?
    package var document: Document?
    package var correlationID: String?
    /// The record identity that this event reverses.
    package var reverses: String?
    /// The type of the event that this one reverses; it decides the lane.
    package var reversedType: EventType?
    package var origin: Origin
    package var occurredAt: Timestamp
    package var timeQuality: TimeQuality
    package var capturedAt: Timestamp
    package var mappingVersion: String
    package var traceparent: Traceparent
    /// For `source.loss` only.
    package var loss: SourceLoss?
    /// For `stock.drift` only.
    package var drift: StockDrift?
    /// For `stock.conflict` only.
    package var conflict: StockConflict?

    package init(
        id: EventID, type: EventType, sku: String, origin: Origin, occurredAt: Timestamp,
        timeQuality: TimeQuality, capturedAt: Timestamp, mappingVersion: String, traceparent: Traceparent
    ) {
        self.id = id
        self.type = type
        self.sku = sku
        self.origin = origin
        self.occurredAt = occurredAt
        self.timeQuality = timeQuality
        self.capturedAt = capturedAt
        self.mappingVersion = mappingVersion
        self.traceparent = traceparent
    }
}

/// A quantity in the base unit, beside what the record said.
package struct MeasuredQuantity: Sendable, Equatable {
    package var value: Quantity
    package var unit: String?
    package var originalValue: String?
    package var originalUnit: String?

    package init(value: Quantity, unit: String?, originalValue: String?, originalUnit: String?) {
        self.value = value
        self.unit = unit
        self.originalValue = originalValue
        self.originalUnit = originalUnit
    }
}

/// One bucket of one key changes by `delta`.
package struct StockChange: Sendable, Equatable {
    package var key: StockKey
    package var bucket: Bucket
    package var delta: Quantity

    package init(key: StockKey, bucket: Bucket, delta: Quantity) {
        self.key = key
        self.bucket = bucket
        self.delta = delta
    }
}

/// Absolute figures for the buckets that a level names; others stay.
package struct StockLevel: Sendable, Equatable {
    package var key: StockKey
    package var buckets: [Bucket: Quantity]

    package init(key: StockKey, buckets: [Bucket: Quantity]) {
        self.key = key
        self.buckets = buckets
    }
}

/// What the figures of a level are, at the moment when it is appended.
package enum LevelBasis: Sendable, Equatable {
    /// What there is.
    case figures
    /// What there is, as long as the key has this version: 0 for one that has none yet. Else the level says nothing.
    case version(Int64)
    /// By how much the stock differs from what there is.
    case differences
}

package struct StockCount: Sendable, Equatable {
    package var key: StockKey
    package var expected: Quantity?
    package var counted: Quantity
    package var difference: Quantity?

    package init(key: StockKey, expected: Quantity?, counted: Quantity, difference: Quantity?) {
        self.key = key
        self.expected = expected
        self.counted = counted
        self.difference = difference
    }
}

package struct Reason: Sendable, Equatable {
    /// A canonical reason code; `unknown` where the source's own is not translated.
    package var code: String
    package var sourceCode: String?
    package var text: String?

    /// What consumers may count on; each source's own codes are translated to one of these.
    package static let codes: Set<String> = [
        "sale", "receipt", "receipt_error", "return", "transfer", "count_gain", "count_loss", "damage_facility",
        "damage_transit", "expired", "recall", "hold", "release", "theft", "scrap", "donation", "found", "kit",
        "uom_change", "owner_change", "correction", "unknown",
    ]

    package init(code: String, sourceCode: String?, text: String?) {
        self.code = code
        self.sourceCode = sourceCode
        self.text = text
    }
}

package struct Document: Sendable, Equatable {
    package var type: String
    package var number: String
    package var line: String?

    package init(type: String, number: String, line: String?) {
        self.type = type
        self.number = number
        self.line = line
    }
}

/// Where an event comes from in the WMS's own data.
package struct Origin: Sendable, Equatable {
    package var source: String
    package var kind: String
    /// File or table name, without its directory.
    package var object: String
    /// Byte offset of the record's first byte, as text.
    package var position: String
    /// The record's own id, where the mapping gives one.
    package var key: String?
    /// SHA-256 of the record's raw bytes, 32 bytes.
    package var recordHash: Digest

    package init(source: String, kind: String, object: String, position: String, key: String?, recordHash: Digest) {
        self.source = source
        self.kind = kind
        self.object = object
        self.position = position
        self.key = key
        self.recordHash = recordHash
    }
}

/// What a source could not give any more, as its own kind names places.
package struct SourceLoss: Sendable, Equatable {
    package var what: String
    package var from: String
    package var to: String
    package var cause: String

    package init(what: String, from: String, to: String, cause: String) {
        self.what = what
        self.from = from
        self.to = to
        self.cause = cause
    }
}

package enum TimeQuality: String, Sendable {
    case exact, resolved, ambiguous, captured
    case dateOnly = "date_only"
}
