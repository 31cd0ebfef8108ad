import Inventory

/// Maps a reject's bytes again, by the present mapping and columns, under the identity that it had.
struct Remapping {
    private let format: FormatDefinition
    private let state: DecoderState?
    private let mapping: Mapping

    init(format: FormatDefinition, state: DecoderState?, mapping: Mapping) {
        // It was a record once, wherever it stood.
        var format = format
        format.skippedLines = 0
        format.ignoredLines = []
        (self.format, self.state, self.mapping) = (format, state, mapping)
    }

    func record(_ bytes: [UInt8], identity: String, position: String, now: Timestamp) throws -> CapturedRecord {
        let place = RecordPosition(position)
        switch try decoded(bytes, at: place.offset) {
        case .record(let record):
            return mapping.map(record, fallbackIdentity: identity, object: place.object, capturedAt: now)
        case .reject(_, _, let reason): return rejected(reason, bytes, identity, place)
        case .notice(let text): return rejected(RejectReason(code: "count", message: text), bytes, identity, place)
        case nil:
            let reason = RejectReason(code: "incomplete", message: "the bytes are no whole record")
            return rejected(reason, bytes, identity, place)
        }
    }

    /// A reject's own record: what stands under headers brings them, and needs none that the file is at now.
    private func decoded(_ bytes: [UInt8], at offset: Int64) throws -> DecodedItem? {
        guard format.recordType != nil else {
            var decoder = try format.decoder(resuming: state)
            return decoder.decode(RawLine(offset: offset, bytes: bytes[...]))
        }
        var decoder = try format.decoder()
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

    private func rejected(
        _ reason: RejectReason, _ bytes: [UInt8], _ identity: String, _ place: RecordPosition
    ) -> CapturedRecord {
        CapturedRecord(
            identity: RecordIdentity(text: identity, recordHash: Digest(sha256: bytes), isTracked: false),
            outcome: .reject(reason), bytes: bytes[...], position: place)
    }
}
