/// A record came under an identity that another record had before.
package struct StockConflict: Sendable, Equatable {
    package var identity: String
    /// The first 8 bytes of the earlier record's SHA-256: all that is kept of it.
    package var earlierHash: UInt64
    /// The later record as text, at most 4 KiB of it; bytes that are no UTF-8 show as U+FFFD.
    package var record: String

    package init(identity: String, earlierHash: UInt64, record: ArraySlice<UInt8>) {
        self.identity = identity
        self.earlierHash = earlierHash
        self.record = String(decoding: record.prefix(Self.recordLimitBytes), as: UTF8.self)
    }

    private static let recordLimitBytes = 4_096
}

extension EventDraft {
    /// The `stock.conflict` that stands in for this event: it tells of both records and changes nothing. Its id is that
    /// of the later record's content, so the same conflict read again has the same id.
    package func conflict(
        site: SiteIdentity, record: RecordIdentity, earlierHash: UInt64, bytes: ArraySlice<UInt8>
    ) -> EventDraft {
        let derived = EventID.derive(site: site, source: origin.source, record: record, type: .conflict, n: 0)
        var told = EventDraft(
            id: derived.id, type: .conflict, sku: sku, origin: origin, occurredAt: occurredAt,
            timeQuality: timeQuality, capturedAt: capturedAt, mappingVersion: mappingVersion,
            traceparent: derived.traceparent)
        told.gtin = gtin
        told.quantity = quantity
        told.reason = reason
        told.document = document
        told.correlationID = correlationID
        told.conflict = StockConflict(identity: record.text, earlierHash: earlierHash, record: bytes)
        return told
    }

    /// The `source.loss` that says what `origin.source` could not give; the same loss found again has the same id.
    package static func loss(_ loss: SourceLoss, site: SiteIdentity, origin: Origin, now: Timestamp) -> EventDraft {
        let text = ["loss", origin.object, loss.what, loss.from, loss.to, loss.cause].joined(separator: "\u{1F}")
        let record = RecordIdentity(text: text, recordHash: origin.recordHash, isTracked: false)
        let derived = EventID.derive(site: site, source: origin.source, record: record, type: .sourceLoss, n: 0)
        var told = EventDraft(
            id: derived.id, type: .sourceLoss, sku: "", origin: origin, occurredAt: now, timeQuality: .captured,
            capturedAt: now, mappingVersion: "", traceparent: derived.traceparent)
        told.loss = loss
        return told
    }
}
