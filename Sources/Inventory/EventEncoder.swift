// CloudEvents 1.0, structured JSON, as the exact bytes that are stored, sent and replayed.
//
// The event begins with `{"specversion":"1.0","sequence":"<19 digits>","epoch":"<21 characters>"`, so both lie at
// fixed offsets: an un-acked event that moves into a new epoch is readdressed in place and keeps every other byte.

package struct EventEncoder {
    private let site: SiteIdentity
    private var json = JSONBytes(capacity: 2_048)

    private static let sequenceOffset = #"{"specversion":"1.0","sequence":""#.utf8.count
    private static let epochOffset = sequenceOffset + 19 + #"","epoch":""#.utf8.count

    package init(site: SiteIdentity) { self.site = site }

    /// Sequences count from 1.
    package mutating func encode(
        _ draft: EventDraft, lane: Lane, sequence: Int64, epoch: Epoch, balances: [BalanceLine]
    ) -> [UInt8] {
        json.clear()
        json.open(UInt8(ascii: "{"))
        address(sequence: sequence, epoch: epoch, lane: lane)
        attributes(draft)
        json.key("data")
        data(draft, balances: balances)
        json.close(UInt8(ascii: "}"))
        return json.bytes
    }

    /// The tombstone of an event that could not be sent: consumers advance and resync its subject.
    package mutating func encodeSkipped(
        lane: Lane, sequence: Int64, epoch: Epoch, id: EventID, reason: String, at now: Timestamp
    ) -> [UInt8] {
        json.clear()
        json.open(UInt8(ascii: "{"))
        address(sequence: sequence, epoch: epoch, lane: lane)
        json.member("id", id.description)
        json.member("source", "/\(site.tenant)/\(site.site)/agent")
        json.member("type", EventType.skipped.wireName)
        json.member("time", now.description)
        json.member("datacontenttype", "application/json")
        json.key("data")
        json.open(UInt8(ascii: "{"))
        json.member("id", id.description)
        json.member("reason", reason)
        json.close(UInt8(ascii: "}"))
        json.close(UInt8(ascii: "}"))
        return json.bytes
    }

    /// Gives an encoded event another sequence and epoch, in place.
    package static func readdress(_ payload: inout [UInt8], sequence: Int64, epoch: Epoch) {
        precondition(payload.count > epochOffset + 21)
        payload.replaceSubrange(sequenceOffset..<sequenceOffset + 19, with: padded(sequence).utf8)
        payload.replaceSubrange(epochOffset..<epochOffset + 21, with: epoch.text.utf8)
    }

    private static func padded(_ sequence: Int64) -> String {
        let digits = String(sequence)
        return String(repeating: "0", count: 19 - digits.count) + digits
    }

    private mutating func address(sequence: Int64, epoch: Epoch, lane: Lane) {
        precondition(sequence >= 1, "sequences count from 1")
        json.member("specversion", "1.0")
        json.member("sequence", Self.padded(sequence))
        json.member("epoch", epoch.text)
        json.member("lane", lane.name)
    }

    private mutating func attributes(_ draft: EventDraft) {
        json.member("id", draft.id.description)
        json.member("source", "/\(site.tenant)/\(site.site)/\(draft.origin.source)")
        json.member("type", draft.type.wireName)
        json.member("subject", draft.sku)
        json.member("time", draft.occurredAt.description)
        json.member("datacontenttype", "application/json")
        json.member("dataschema", "urn:waybill:schema:stock:1")
        json.member("correlationid", draft.correlationID)
        json.member("traceparent", draft.traceparent)
    }

    private mutating func data(_ draft: EventDraft, balances: [BalanceLine]) {
        json.open(UInt8(ascii: "{"))
        sku(draft)
        if let quantity = draft.quantity { measured(quantity) }
        if !draft.changes.isEmpty { changes(draft) }
        if !balances.isEmpty { lines(balances, subject: draft.sku) }
        if let count = draft.count { counted(count) }
        if let loss = draft.loss { lost(loss) }
        if let reason = draft.reason { explained(reason) }
        if let document = draft.document { referenced(document) }
        json.member("reverses", draft.reverses)
        origin(draft.origin)
        json.member("occurred_at", draft.occurredAt.description)
        json.member("time_quality", draft.timeQuality.rawValue)
        json.member("captured_at", draft.capturedAt.description)
        json.member("mapping_version", draft.mappingVersion)
        json.close(UInt8(ascii: "}"))
    }

    private mutating func sku(_ draft: EventDraft) {
        guard !draft.sku.isEmpty else { return }
        object("sku") {
            $0.member("code", draft.sku)
            $0.member("gtin", draft.gtin)
        }
    }

    private mutating func measured(_ quantity: MeasuredQuantity) {
        object("quantity") {
            $0.member("value", quantity.value)
            $0.member("uom", quantity.unit)
            $0.member("original_value", quantity.originalValue)
            $0.member("original_uom", quantity.originalUnit)
        }
    }

    private mutating func changes(_ draft: EventDraft) {
        json.key("changes")
        json.open(UInt8(ascii: "["))
        for change in draft.changes {
            json.open(UInt8(ascii: "{"))
            key(change.key, subject: draft.sku)
            json.member("bucket", change.bucket.name)
            json.member("delta", change.delta)
            json.close(UInt8(ascii: "}"))
        }
        json.close(UInt8(ascii: "]"))
    }

    private mutating func lines(_ balances: [BalanceLine], subject: String) {
        json.key("balances")
        json.open(UInt8(ascii: "["))
        for line in balances {
            json.open(UInt8(ascii: "{"))
            key(line.key, subject: subject)
            json.key("version")
            json.number(line.balance.version)
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

    private mutating func key(_ key: StockKey, subject: String) {
        if key.sku != subject { json.member("sku", key.sku) }
        json.member("location", key.location)
        json.member("lot", key.lot)
        json.member("owner", key.owner)
    }

    private mutating func counted(_ count: StockCount) {
        let subject = count.key.sku
        json.key("count")
        json.open(UInt8(ascii: "{"))
        key(count.key, subject: subject)
        json.member("expected", count.expected)
        json.member("counted", count.counted)
        json.member("difference", count.difference)
        json.close(UInt8(ascii: "}"))
    }

    private mutating func lost(_ loss: SourceLoss) {
        object("loss") {
            $0.member("what", loss.what)
            $0.member("from", loss.from)
            $0.member("to", loss.to)
            $0.member("cause", loss.cause)
        }
    }

    private mutating func explained(_ reason: Reason) {
        object("reason") {
            $0.member("code", reason.code)
            $0.member("source_code", reason.sourceCode)
            $0.member("text", reason.text)
        }
    }

    private mutating func referenced(_ document: Document) {
        object("document") {
            $0.member("type", document.type)
            $0.member("number", document.number)
            $0.member("line", document.line)
        }
    }

    private mutating func origin(_ origin: Origin) {
        object("origin") {
            $0.member("source", origin.source)
            $0.member("kind", origin.kind)
            $0.member("object", origin.object)
            $0.member("position", origin.position)
            $0.member("key", origin.key)
            $0.member("record_sha256", origin.recordHash.hex)
        }
    }

    private mutating func object(_ name: StaticString, _ members: (inout JSONBytes) -> Void) {
        json.key(name)
        json.open(UInt8(ascii: "{"))
        members(&json)
        json.close(UInt8(ascii: "}"))
    }
}
