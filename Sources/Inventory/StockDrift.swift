/// The ledger's stock of one key differs from what a full export of the WMS says.
package struct StockDrift: Sendable, Equatable {
    package enum Cause: String, Sendable {
        case inFlight = "in_flight"
        case missingEvent = "missing_event"
        case duplicateEvent = "duplicate_event"
        case uomFactor = "uom_factor"
        case signError = "sign_error"
        case lotMismatch = "lot_mismatch"
        case statusMismatch = "status_mismatch"
        case locationMismatch = "location_mismatch"
        case unknown
    }

    package struct Figure: Sendable, Equatable {
        package var bucket: Bucket
        /// As the ledger adds up.
        package var expected: Quantity
        /// As the export says.
        package var actual: Quantity

        package init(bucket: Bucket, expected: Quantity, actual: Quantity) {
            self.bucket = bucket
            self.expected = expected
            self.actual = actual
        }
    }

    package var key: StockKey
    package var figures: [Figure]
    package var cause: Cause
    /// The export's own point in time.
    package var asOf: Timestamp

    package init(key: StockKey, figures: [Figure], cause: Cause, asOf: Timestamp) {
        self.key = key
        self.figures = figures
        self.cause = cause
        self.asOf = asOf
    }
}

/// One key's stock as the outbox adds it up, and when an event touched it last.
package struct KnownStock: Sendable, Equatable {
    package var key: StockKey
    package var balance: Balance
    /// The later of the event's own time and its capture.
    package var touchedAt: Timestamp

    package init(key: StockKey, balance: Balance, touchedAt: Timestamp) {
        self.key = key
        self.balance = balance
        self.touchedAt = touchedAt
    }
}

/// The outbox's stock for a source that checks it; one thread, each call sees what is durable then.
package protocol StockView {
    func known(_ key: StockKey) throws -> KnownStock?
    /// At most `limit` keys after one, in their order.
    func known(after key: StockKey?, limit: Int) throws -> [KnownStock]
    /// Of one SKU, at most 1,000.
    func known(ofSKU sku: String) throws -> [KnownStock]
    /// What was captured at a moment or later; nil where the journal does not hold all of it, or where it is more than
    /// `limit` events.
    func journal(since moment: Timestamp, limit: Int64) throws -> JournalSpan?
    /// Notes the span's next events, about 2,000 at most, and goes on in it.
    func read(_ span: inout JournalSpan, into moves: inout StockMoves) throws
}
