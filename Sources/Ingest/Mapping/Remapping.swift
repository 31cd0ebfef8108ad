import Inventory

/// Maps a reject's bytes again, by the present mapping and columns, under the identity that it had.
struct Remapping {
    let format: FormatDefinition
    let state: DecoderState?
    let mapping: Mapping

    func record(_ bytes: [UInt8], identity: String, position: String, now: Timestamp) throws -> CapturedRecord {
        var decoder = try format.decoder(resuming: state)
        let place = RecordPosition(position)
        switch decoder.decode(RawLine(offset: place.offset, bytes: bytes[...])) {
        case .record(let record):
            return mapping.map(record, fallbackIdentity: identity, object: place.object, capturedAt: now)
        case .reject(_, _, let reason): return rejected(reason, bytes, identity, place)
        case nil:
            let reason = RejectReason(code: "incomplete", message: "the bytes are no whole record")
            return rejected(reason, bytes, identity, place)
        }
    }

    private func rejected(
        _ reason: RejectReason, _ bytes: [UInt8], _ identity: String, _ place: RecordPosition
    ) -> CapturedRecord {
        CapturedRecord(
            identity: RecordIdentity(text: identity, recordHash: Digest(sha256: bytes), isTracked: false),
            outcome: .reject(reason), bytes: bytes[...], position: place)
    }
}
