// CloudEvents 1.0, structured JSON, as the exact bytes that are stored, sent and replayed.
//
// The event begins with `{"specversion":"1.0","sequence":"<19 digits>","epoch":"<21 characters>"`, so both lie at
// fixed offsets: an un-acked event that moves into a new epoch is readdressed in place and keeps every other byte.
// The order of all members is fixed. Absent means unknown: a member without a value, or with an empty text, is left
// out. A balance's figures alone are `null` where they are unknown.

/// Encodes the events of one site. It owns one buffer, so it is used by one owner and not copied.
package struct EventEncoder: ~Copyable {
    let site: SiteIdentity
    private let sourcePrefix: String
    var json = JSONBytes()

    static let sequenceOffset = #"{"specversion":"1.0","sequence":""#.utf8.count
    static let epochOffset = sequenceOffset + 19 + #"","epoch":""#.utf8.count

    package init(site: SiteIdentity) {
        self.site = site
        sourcePrefix = "/\(site.tenant)/\(site.site)/"
    }

    /// Sequences count from 1. The bytes are valid within `body` only.
    package mutating func encode<R>(
        _ draft: EventDraft, lane: Lane, sequence: Int64, epoch: Epoch, balances: [BalanceLine],
        into body: (UnsafeRawBufferPointer) throws -> R
    ) rethrows -> R {
        begin(lane: lane, sequence: sequence, epoch: epoch)
        attributes(draft)
        json.key("data")
        data(draft, balances: balances)
        json.close(UInt8(ascii: "}"))
        return try body(json.written)
    }

    /// The same bytes as an array of their own.
    package mutating func encode(
        _ draft: EventDraft, lane: Lane, sequence: Int64, epoch: Epoch, balances: [BalanceLine]
    ) -> [UInt8] {
        encode(draft, lane: lane, sequence: sequence, epoch: epoch, balances: balances) { [UInt8]($0) }
    }

    /// The tombstone of an event that could not be sent: consumers advance and resync its subject.
    ///
    /// `original` is that event's payload, from which come type, subject and the balances, as far as they fit into
    /// `limitBytes`. Without them, or when they cannot be read, the tombstone names the id alone.
    package mutating func encodeSkipped(
        lane: Lane, sequence: Int64, epoch: Epoch, id: EventID, reason: String, at now: Timestamp,
        original: [UInt8] = [], limitBytes: Int = .max
    ) -> [UInt8] {
        original.withUnsafeBytes { bytes in
            let kept = SkippedParts(payload: bytes)
            begin(lane: lane, sequence: sequence, epoch: epoch)
            json.member("id", id)
            source("agent")
            json.member("type", EventType.skipped.wireName)
            let room = limitBytes - json.count - Tombstone.fixedBytes - reason.utf8.count * 6
            let fitting = Tombstone(kept, room: room)
            if let subject = fitting.subject { rawMember("subject", subject) }
            json.member("time", now)
            json.member("datacontenttype", "application/json")
            json.object("data") {
                $0.member("id", id)
                if let type = fitting.type { Self.rawMember("type", type, &$0) }
                if let subject = fitting.subject { Self.rawMember("subject", subject, &$0) }
                $0.member("reason", reason)
                guard !fitting.balances.isEmpty else { return }
                $0.key("balances")
                $0.open(UInt8(ascii: "["))
                for line in fitting.balances { $0.value(line) }
                $0.close(UInt8(ascii: "]"))
            }
            json.close(UInt8(ascii: "}"))
            return [UInt8](json.written)
        }
    }

    /// Gives an encoded event another sequence and epoch, in place.
    package static func readdress(_ payload: inout [UInt8], sequence: Int64, epoch: Epoch) {
        precondition(sequence >= 1 && payload.count > epochOffset + 21)
        payload.withUnsafeMutableBufferPointer { bytes in
            bytes.baseAddress?.putDecimal(sequence.magnitude, width: 19, at: sequenceOffset)
            _ = bytes[epochOffset...].update(fromContentsOf: epoch.text.utf8)
        }
    }

    // MARK: attributes

    private mutating func begin(lane: Lane, sequence: Int64, epoch: Epoch) {
        precondition(sequence >= 1, "sequences count from 1")
        json.clear()
        json.open(UInt8(ascii: "{"))
        json.member("specversion", "1.0")
        json.member("sequence", padded: sequence, width: 19)
        json.member("epoch", epoch.text)
        json.member("lane", lane.name)
    }

    private mutating func attributes(_ draft: EventDraft) {
        json.member("id", draft.id)
        source(draft.origin.source)
        json.key("type")
        json.string(draft.type.rawValue, text: ".v1")
        json.member("subject", draft.sku)
        json.member("time", draft.occurredAt)
        json.member("datacontenttype", "application/json")
        json.member("dataschema", "urn:waybill:schema:stock:1")
        json.member("correlationid", draft.correlationID)
        json.member("traceparent", draft.traceparent)
    }

    mutating func source(_ name: String) {
        json.key("source")
        json.string(sourcePrefix, text: name)
    }

    private mutating func rawMember(_ name: StaticString, _ value: UnsafeRawBufferPointer) {
        Self.rawMember(name, value, &json)
    }

    private static func rawMember(_ name: StaticString, _ value: UnsafeRawBufferPointer, _ json: inout JSONBytes) {
        json.key(name)
        json.value(value)
    }

    // MARK: data

    private mutating func data(_ draft: EventDraft, balances: [BalanceLine]) {
        json.open(UInt8(ascii: "{"))
        if !draft.sku.isEmpty { sku(draft) }
        if let quantity = draft.quantity { measured(quantity) }
        if !draft.changes.isEmpty { changes("changes", draft.changes, subject: draft.sku) }
        if !draft.difference.isEmpty { changes("difference", draft.difference, subject: draft.sku) }
        if !balances.isEmpty { lines(balances, subject: draft.sku) }
        if let count = draft.count { counted(count, subject: draft.sku) }
        if let loss = draft.loss { lost(loss) }
        if let conflict = draft.conflict { conflicting(conflict) }
        if let drift = draft.drift { drifting(drift, subject: draft.sku) }
        if let reason = draft.reason { explained(reason) }
        if let document = draft.document { referenced(document) }
        json.member("reverses", draft.reverses)
        origin(draft.origin)
        json.member("occurred_at", draft.occurredAt)
        json.member("time_quality", draft.timeQuality.rawValue)
        json.member("captured_at", draft.capturedAt)
        json.member("mapping_version", draft.mappingVersion)
        json.close(UInt8(ascii: "}"))
    }

    private mutating func sku(_ draft: EventDraft) {
        json.object("sku") {
            $0.member("code", draft.sku)
            $0.member("gtin", draft.gtin)
        }
    }

    private mutating func measured(_ quantity: MeasuredQuantity) {
        json.object("quantity") {
            $0.member("value", quantity.value)
            $0.member("uom", quantity.unit)
            $0.member("original_value", quantity.originalValue)
            $0.member("original_uom", quantity.originalUnit)
        }
    }

    private mutating func changes(_ name: StaticString, _ changes: [StockChange], subject: String) {
        json.key(name)
        json.open(UInt8(ascii: "["))
        for change in changes {
            json.open(UInt8(ascii: "{"))
            key(change.key, subject: subject)
            json.member("bucket", change.bucket.name)
            json.member("delta", change.delta)
            json.close(UInt8(ascii: "}"))
        }
        json.close(UInt8(ascii: "]"))
    }

    mutating func lines(_ balances: [BalanceLine], subject: String) {
        json.key("balances")
        json.open(UInt8(ascii: "["))
        for line in balances {
            json.open(UInt8(ascii: "{"))
            key(line.key, subject: subject)
            json.member("version", number: line.balance.version)
            json.nullable("unrestricted", line.balance[.unrestricted])
            json.nullable("quarantined", line.balance[.quarantined])
            json.nullable("damaged", line.balance[.damaged])
            json.nullable("blocked", line.balance[.blocked])
            json.nullable("allocated", line.balance[.allocated])
            json.nullable("in_transit", line.balance[.inTransit])
            json.nullable("on_hand", line.balance.onHand)
            json.nullable("available", line.balance.available)
            json.close(UInt8(ascii: "}"))
        }
        json.close(UInt8(ascii: "]"))
    }

    /// The SKU is named where it is not the event's subject.
    private mutating func key(_ key: StockKey, subject: String) {
        if !key.sku.hasBytes(of: subject) { json.member("sku", key.sku) }
        json.member("location", key.location)
        json.member("lot", key.lot)
        json.member("owner", key.owner)
    }

    private mutating func counted(_ count: StockCount, subject: String) {
        json.key("count")
        json.open(UInt8(ascii: "{"))
        key(count.key, subject: subject)
        json.member("expected", count.expected)
        json.member("counted", count.counted)
        json.member("difference", count.difference)
        json.close(UInt8(ascii: "}"))
    }

    private mutating func lost(_ loss: SourceLoss) {
        json.object("loss") {
            $0.member("what", loss.what)
            $0.member("from", loss.from)
            $0.member("to", loss.to)
            $0.member("cause", loss.cause)
        }
    }

    private mutating func drifting(_ drift: StockDrift, subject: String) {
        json.key("drift")
        json.open(UInt8(ascii: "{"))
        key(drift.key, subject: subject)
        json.member("as_of", drift.asOf)
        json.member("cause", drift.cause.rawValue)
        json.key("figures")
        json.open(UInt8(ascii: "["))
        for figure in drift.figures {
            json.open(UInt8(ascii: "{"))
            json.member("bucket", figure.bucket.name)
            json.member("expected", figure.expected)
            json.member("actual", figure.actual)
            // Both have at most 12 digits before the point: their difference may have one more.
            json.member("difference", Quantity(unchecked: figure.actual.millionths - figure.expected.millionths))
            json.close(UInt8(ascii: "}"))
        }
        json.close(UInt8(ascii: "]"))
        json.close(UInt8(ascii: "}"))
    }

    private mutating func conflicting(_ conflict: StockConflict) {
        json.object("conflict") {
            $0.member("identity", conflict.identity)
            $0.member("earlier_sha256_prefix", hexText(conflict.earlierHash))
            $0.member("record", conflict.record)
        }
    }

    private mutating func explained(_ reason: Reason) {
        json.object("reason") {
            $0.member("code", reason.code)
            $0.member("source_code", reason.sourceCode)
            $0.member("text", reason.text)
        }
    }

    private mutating func referenced(_ document: Document) {
        json.object("document") {
            $0.member("type", document.type)
            $0.member("number", document.number)
            $0.member("line", document.line)
        }
    }

    private mutating func origin(_ origin: Origin) {
        json.object("origin") {
            $0.member("source", origin.source)
            $0.member("kind", origin.kind)
            $0.member("object", origin.object)
            $0.member("position", origin.position)
            $0.member("key", origin.key)
            $0.member("record_sha256", origin.recordHash)
        }
    }
}
