import Inventory

/// What turns a record into its outcome, for one look.
struct RecordReader {
    let mapping: Mapping
    let now: Timestamp
    let monotonic: Int64
    let maxBytes: Int
    let maxRecords: Int
}

/// One file that is followed from a position: bytes to lines, lines to records.
///
/// After each read the position stands at a record boundary, with the hashes that prove which file it belongs to.
final class FollowedFile {
    let file: TailFile
    private(set) var position: TailPosition
    /// When it grew last, monotonic milliseconds.
    private(set) var lastGrowth: Int64
    /// What its format had to say since the last look.
    private var notices: [String] = []
    private var decoder: any RecordDecoder
    private let ends: Framing
    /// The decoder's, once they are known.
    private var columns: [String]?
    private var lastSize: Int64
    private var hole: (offset: Int64, since: Int64)?
    private var holePatience = usualHolePatience

    static let longestLine = 1 << 20
    /// Enough for a batch of records; more is read only where no line ends in it.
    private static let usualRead = 256 << 10
    /// How long NUL bytes may still be filled in (NFS shows a hole before its data), in milliseconds.
    private static let usualHolePatience: Int64 = 60_000

    init(_ file: TailFile, at position: TailPosition, format: FormatDefinition, monotonic: Int64) throws {
        self.file = file
        self.position = position
        decoder = try format.decoder(resuming: position.decoderState)
        ends = decoder.framing
        columns = decoder.columns
        lastGrowth = monotonic
        lastSize = file.size
    }

    /// Whether it was seen to hold more than what was read.
    var isKnownUnread: Bool { lastSize > position.offset }
    var isOverwritten: Bool { !file.continues(position) }
    /// Whether all bytes belong to whole records that were read.
    var isDrained: Bool { position.offset >= file.size }

    /// Skips what is there: only its header is read, and a torn last line is left to be read when it is whole.
    func skipToEnd(_ reader: RecordReader) throws {
        passOver()
        // There is no record before the header, or before titles that are still being written.
        guard let columns = decoder.columns else { return }
        try reader.mapping.compile(columns: columns)
        // The last line may be torn: its first byte is where the last line end was.
        let size = file.size - file.size % Int64(ends.unit)
        var tail = max(0, size - Int64(Self.longestLine))
        if let length = ends.length { tail -= tail % Int64(length) }
        let last = file.read(at: tail, most: Int(size - tail))
        position.offset = tail + Int64(last.withUnsafeBytes { ends.afterLast(in: $0) })
        mark()
    }

    /// Up to the first record, which names the lineage; of record groups all that is there, since what follows stands
    /// under the headers before it.
    private func passOver() {
        var offset: Int64 = 0
        let isGrouped = decoder.state.group != nil
        while position.lineage.isEmpty || isGrouped {
            let bytes = wholeUnits(at: offset, most: Self.longestLine)
            var start = 0
            while let end = ends.end(of: bytes, from: start), position.lineage.isEmpty || isGrouped {
                let line = RawLine(offset: offset + Int64(start), bytes: ends.trimmed(bytes[start..<end]))
                if case .record(let first)? = decoder.decode(line), position.lineage.isEmpty { nameLineage(first) }
                start = end + ends.separator
            }
            let next = decoder.pendingOffset ?? offset + Int64(start)
            decoder.dropPending()
            if next == offset { break }
            offset = next
        }
    }

    /// Reads on. `isFinal`: nothing will follow, so a last line without its newline is whole; `isLastLook`: what is a
    /// hole now stays one.
    func read(_ reader: RecordReader, isFinal: Bool = false, isLastLook: Bool = false) throws -> [CapturedRecord] {
        holePatience = isLastLook ? 0 : Self.usualHolePatience
        let size = file.size
        if size != lastSize {
            lastSize = size
            lastGrowth = reader.monotonic
        }
        let start = position.offset
        var bytes = wholeUnits(at: start, most: Self.usualRead)
        if bytes.isEmpty { return [] }
        var records: [CapturedRecord] = []
        var boundary = try consume(bytes, reader, &records)
        if (decoder.pendingOffset ?? start + Int64(boundary)) == start, bytes.count == Self.usualRead {
            // No record ends in it: a long line, or a quote that is closed far away.
            decoder.dropPending()
            bytes = wholeUnits(at: start, most: reader.maxBytes)
            boundary = try consume(bytes, reader, &records)
        }
        position.offset = decoder.pendingOffset ?? start + Int64(boundary)
        if position.offset == start, boundary > 0, bytes.count >= Self.longestLine {
            records.append(neverClosed(bytes))
        }
        if position.offset == start, boundary == 0 || isFinal {
            try finish(bytes, isFinal: isFinal, reader, &records)
        }
        decoder.dropPending()
        if position.offset != start { mark() }
        return records
    }

    /// Without half a code unit at its end.
    private func wholeUnits(at offset: Int64, most: Int) -> [UInt8] {
        var bytes = file.read(at: offset, most: most)
        bytes.removeLast(bytes.count % ends.unit)
        return bytes
    }

    func takeNotices() -> [String] {
        defer { notices = [] }
        return notices
    }

    /// What is missing where the file ends for good.
    func end() -> CapturedRecord? {
        decoder.finish().map { reject(position.offset, [], $0.code, $0.message) }
    }

    // MARK: bytes to lines

    /// The first byte after the last line that was taken.
    private func consume(
        _ bytes: [UInt8], _ reader: RecordReader, _ records: inout [CapturedRecord]
    ) throws -> Int {
        var start = 0
        while records.count < reader.maxRecords {
            guard let end = bytes.withUnsafeBytes({ ends.end(in: $0, from: start) }) else { break }
            let line = RawLine(offset: position.offset + Int64(start), bytes: ends.trimmed(bytes[start..<end]))
            if position.skipsLine {
                position.skipsLine = false
            } else {
                if holds(line, reader) { return start }
                if let record = try take(line, reader) { records.append(record) }
            }
            start = end + ends.separator
        }
        return start
    }

    /// What has no newline: waits, is the last line, or is too long.
    private func finish(
        _ bytes: [UInt8], isFinal: Bool, _ reader: RecordReader, _ records: inout [CapturedRecord]
    ) throws {
        let start = position.offset
        let isTooLong = bytes.count >= Self.longestLine
        guard isTooLong || isFinal, !holds(RawLine(offset: start, bytes: bytes[...]), reader) else { return }
        if isTooLong {
            if !position.skipsLine { records.append(tooLong(bytes)) }
            position.skipsLine = true
            position.offset = start + Int64(bytes.count)
        } else {
            decoder.dropPending()
            let taken = try consume(bytes + ends.bytes, reader, &records)
            if let open = decoder.pendingOffset {
                let rest = bytes[Int(open - start)...].prefix(4_096)
                records.append(reject(open, rest, decoder.pendingReason.code, decoder.pendingReason.message))
            } else if let length = ends.length, taken < bytes.count, !ends.isLeftover(bytes[taken...]) {
                let rest = bytes[taken...]
                records.append(
                    reject(
                        start + Int64(taken), rest, "truncated",
                        "the file ends after \(rest.count) of a record's \(length) bytes"))
            }
            position.offset = start + Int64(bytes.count)
        }
    }

    // MARK: NUL holes

    /// A line with NUL bytes waits for its data for a while, and then is rejected.
    private func holds(_ line: RawLine, _ reader: RecordReader) -> Bool {
        guard ends.holdsNUL(line.bytes) else { return false }
        if hole?.offset != line.offset { hole = (line.offset, reader.monotonic) }
        return reader.monotonic - (hole?.since ?? 0) < holePatience
    }

    // MARK: lines to records

    private func take(_ line: RawLine, _ reader: RecordReader) throws -> CapturedRecord? {
        if ends.holdsNUL(line.bytes) { return reject(line.offset, line.bytes, "nul", "the line holds NUL bytes") }
        let item = decoder.decode(line)
        if columns == nil { columns = decoder.columns }
        if let columns { try reader.mapping.compile(columns: columns) }
        switch item {
        case nil: return nil
        case .reject(let offset, let bytes, let reason): return reject(offset, bytes, reason.code, reason.message)
        case .notice(let text):
            notices.append("\(file.name): \(text)")
            return nil
        case .record(let record):
            if position.lineage.isEmpty { nameLineage(record) }
            return reader.mapping.map(
                record, fallbackIdentity: RecordIdentity.text(lineage: position.lineage, offset: record.offset),
                object: file.name,
                capturedAt: reader.now)
        }
    }

    /// The lineage's id: the one before it and the first data line, so the same files read again give the same ids.
    private func nameLineage(_ first: Record) {
        position.lineage = Digest(sha256: Array((position.previousLineage + "|").utf8) + Array(first.bytes)).hex
    }

    /// A quote that is open for longer than a record may be: its first line is rejected and the next one read as usual.
    private func neverClosed(_ bytes: [UInt8]) -> CapturedRecord {
        let first = bytes[..<(bytes.withUnsafeBytes { ends.end(in: $0, from: 0) } ?? bytes.count)]
        let told = reject(
            position.offset, first.prefix(4_096), "quote", "a quote is not closed within \(bytes.count) bytes")
        position.offset += Int64(first.count + ends.separator)
        return told
    }

    private func tooLong(_ bytes: [UInt8]) -> CapturedRecord {
        reject(
            position.offset, bytes.prefix(4_096), "too_long", "a line is longer than \(Self.longestLine) bytes")
    }

    private func reject(_ offset: Int64, _ bytes: ArraySlice<UInt8>, _ code: String, _ message: String)
        -> CapturedRecord
    {
        let identity = RecordIdentity(
            text: "\(position.lineage):\(offset)", recordHash: Digest(sha256: bytes), isTracked: false)
        return CapturedRecord(
            identity: identity, outcome: .reject(RejectReason(code: code, message: message)), bytes: bytes,
            position: RecordPosition(object: file.name, offset: offset))
    }

    /// Proves the new position; the head block is hashed again only while it grows.
    private func mark() {
        let head = Int(min(position.offset, Int64(TailPosition.headBlock)))
        if head != position.headLength {
            position.headLength = head
            position.headHash = file.hash(from: 0, length: head)
        }
        position.tailLength = Int(min(position.offset, Int64(TailPosition.tailBlock)))
        position.tailHash = file.hash(from: position.offset - Int64(position.tailLength), length: position.tailLength)
        let state = decoder.state
        position.columns = state.columns
        position.group = state.group
        position.inode = file.inode
        position.device = file.device
    }
}
