import Inventory
import Outbox

/// How long a new epoch takes that finds so many events un-acked.
struct EpochMove {
    let events: Int
    let directory: String

    func run(into table: inout FigureTable) throws {
        guard let site = SiteIdentity(tenant: "bench", site: "dc-1") else { return }
        let options = OutboxOptions(
            directory: "\(directory)/epoch", site: site, rules: InventoryRules(), programVersion: "bench")
        let now = Timestamp(milliseconds: 1_795_000_000_000)
        let outbox = try Outbox(options, now: now)
        for batch in 0..<(events / 1_000) {
            let records = try (0..<1_000).map {
                try SeenCost.record($0 + batch * 1_000, site, isTracked: false, isRandom: false, now)
            }
            let checkpoint = Checkpoint(kind: "tail", text: "\(batch)", position: "\(batch)")
            _ = try outbox.append([CaptureBatch(source: "m", records: records, checkpoint: checkpoint)], now: now)
        }
        let begun = nanoseconds()
        _ = try outbox.startEpoch(above: [], reason: "bench", now: now)
        table.add("new epoch with \(events) events un-acked", Double(nanoseconds() - begun) / 1e9, "s")
    }
}
