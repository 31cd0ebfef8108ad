package import Inventory

extension SourcePipeline {
    /// Maps a reject's bytes again, by the present mapping and columns, under the identity that it had.
    package func remap(_ bytes: [UInt8], identity: String, position: String, now: Timestamp) throws -> CapturedRecord {
        let place = RecordPosition(position)
        let hash = Digest(sha256: bytes)
        switch try decoded(bytes, at: place.offset) {
        case .record(let record):
            return mapping.map(record, fallbackIdentity: identity, object: place.object, capturedAt: now)
        case .reject(_, _, let reason): return rejected(reason)
        case .notice(let text): return rejected(RejectReason(code: "count", message: text))
        case nil: return rejected(RejectReason(code: "incomplete", message: "the bytes are no whole record"))
        }
        func rejected(_ reason: RejectReason) -> CapturedRecord {
            CapturedRecord(
                identity: RecordIdentity(text: identity, recordHash: hash, isTracked: false),
                outcome: .reject(reason), bytes: bytes[...], position: place)
        }
    }

    /// A reject's own record: what stands under headers brings them, and needs none that the file is at now.
    private func decoded(_ bytes: [UInt8], at offset: Int64) throws -> DecodedItem? {
        guard definition.format.recordType != nil else {
            var decoder = try definition.format.decoder(resuming: state.current?.decoderState)
            return decoder.decode(RawLine(offset: offset, bytes: bytes[...]))
        }
        var decoder = try definition.format.decoder()
        var item: DecodedItem?
        var start = 0
        while start < bytes.count {
            let end = decoder.framing.end(of: bytes, from: start) ?? bytes.count
            item = decoder.decode(RawLine(offset: 0, bytes: decoder.framing.trimmed(bytes[start..<end])))
            start = end + decoder.framing.separator
        }
        guard case .record(var record)? = item else { return item }
        record.offset = offset
        return .record(record)
    }
}
