import Inventory
import Outbox

/// What it costs to remember and look up identities, beside an append without them.
struct SeenCost {
    let directory: String

    func run(into table: inout FigureTable) throws {
        let plain = try microseconds(name: "plain", isTracked: false, isRandom: false)
        let rising = try microseconds(name: "rising", isTracked: true, isRandom: false)
        let random = try microseconds(name: "random", isTracked: true, isRandom: true)
        table.add("append, no identities kept", plain, "µs an event")
        table.add("seen identities, rising ids: added", rising - plain, "µs an event")
        table.add("seen identities, random ids: added", random - plain, "µs an event")
    }

    private func microseconds(name: String, isTracked: Bool, isRandom: Bool) throws -> Double {
        guard let site = SiteIdentity(tenant: "bench", site: "dc-1") else { return .nan }
        let options = OutboxOptions(
            directory: "\(directory)/seen-\(name)", site: site, rules: InventoryRules(), programVersion: "bench")
        let now = Timestamp(milliseconds: 1_795_000_000_000)
        let outbox = try Outbox(options, now: now)
        var took: Int64 = 0
        for batch in 0..<200 {
            let records = try (0..<1_000).map {
                try Self.record($0 + batch * 1_000, site, isTracked: isTracked, isRandom: isRandom, now)
            }
            let checkpoint = Checkpoint(kind: "tail", text: "\(batch)", position: "\(batch)")
            let begun = nanoseconds()
            _ = try outbox.append([CaptureBatch(source: "m", records: records, checkpoint: checkpoint)], now: now)
            took += nanoseconds() - begun
        }
        return Double(took) / 200_000 / 1_000
    }

    static func record(
        _ number: Int, _ site: SiteIdentity, isTracked: Bool, isRandom: Bool, _ now: Timestamp
    ) throws -> CapturedRecord {
        let one = try Quantity("1")
        let hash = Digest(sha256: "record \(number)")
        let identity = RecordIdentity(
            text: isRandom ? String(hash.hex.prefix(24)) : "TXN-\(10_000_000 + number)", recordHash: hash,
            isTracked: isTracked)
        let derived = EventID.derive(site: site, source: "m", record: identity, type: .adjusted, n: 0)
        let origin = Origin(
            source: "m", kind: "tail", object: "m.csv", position: "\(number)", key: identity.text, recordHash: hash)
        var draft = EventDraft(
            id: derived.id, type: .adjusted, sku: "\(number % 5_000)", origin: origin, occurredAt: now,
            timeQuality: .exact, capturedAt: now, mappingVersion: "0", traceparent: derived.traceparent)
        draft.changes = [
            StockChange(
                key: StockKey(sku: "\(number % 5_000)", location: "A"), bucket: .unrestricted,
                delta: one)
        ]
        return CapturedRecord(
            identity: identity, outcome: .events([draft]), bytes: [],
            position: RecordPosition(object: "bench", offset: Int64(number)))
    }
}
