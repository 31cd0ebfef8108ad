import Inventory

/// What a source can no longer read, as an event that says so.
extension SourcePipeline {
    func loss(of position: TailPosition, now: Timestamp) -> CapturedRecord {
        let from = "\(position.lineage):\(position.offset)"
        let loss = SourceLoss(
            what: "the rest of a rotated file", from: from, to: "its end, unknown",
            cause: "no file in the directory continues what was read")
        return lossRecord(loss, from: from, hashed: "\(from):\(position.tailHash)", offset: position.offset, now: now)
    }

    func lossRecord(
        _ loss: SourceLoss, from: String, hashed: String, offset: Int64, now: Timestamp
    ) -> CapturedRecord {
        let hash = Digest(sha256: Array(hashed.utf8))
        let object = series.name
        let origin = Origin(
            source: name, kind: "tail", object: object, position: String(offset), key: nil, recordHash: hash)
        return CapturedRecord(
            identity: RecordIdentity(text: "loss:\(from)", recordHash: hash, isTracked: false),
            outcome: .events([EventDraft.loss(loss, site: site, origin: origin, now: now)]), bytes: [],
            position: RecordPosition(object: object, offset: offset))
    }
}
