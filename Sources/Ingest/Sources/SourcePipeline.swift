import CLinux
import Glibc
package import Inventory

// One source from bytes to events: tail, format, mapping.
//
// A file is known by what was read of it (hash of its head, and of the 4 KiB before the offset), never by name, size
// or inode. Before each read the file at hand must still continue the position; otherwise it was truncated or
// overwritten, and a new lineage begins at its first byte. A file whose path names another one is read to its end
// first, then its younger siblings that were never read, oldest first, then the file that the path names now.

package struct PipelineRead {
    package var batch: CaptureBatch?
    package var more = false
    package var status = "ok"
    package var notices: [String] = []
}

package final class SourcePipeline {
    package let name: String
    package var mappingVersion: String { mapping.version }
    private let definition: SourceDefinition
    private let mapping: Mapping
    private var decoder: CSVDecoder
    private var position: TailPosition
    private var isFirstRead: Bool
    private var file: TailFile?
    /// Rotated files still to read before the current one, oldest first.
    private var successors: [String] = []
    private var skipsLongLine = false
    private let inotify: Int32

    private static let longestLine = 1 << 20
    private static let lookInterval: Int64 = 1_000

    /// Throws `IngestError` for a mapping, encoding or time zone that cannot be used.
    package init(_ definition: SourceDefinition, site: SiteIdentity, rules: InventoryRules, checkpoint: Checkpoint?) throws {
        self.definition = definition
        name = definition.name
        position = checkpoint.flatMap(TailPosition.init) ?? TailPosition()
        isFirstRead = checkpoint == nil
        decoder = try CSVDecoder(format: definition.format, columns: position.columns)
        mapping = try Mapping(
            definition.mapping, site: site, source: definition.name, rules: rules, timeZone: definition.timeZone)
        if let columns = decoder.columns { try mapping.compile(columns: columns) }
        inotify = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        let directory = definition.path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
            .joined(separator: "/")
        let events = UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM)
        inotify_add_watch(inotify, directory.isEmpty ? "." : directory, events)
    }

    deinit { close(inotify) }

    package var watchDescriptors: [Int32] { [inotify] }

    /// Monotonic milliseconds of the next periodic look: network shares never notify.
    package private(set) var nextLook: Int64 = 0

    /// Reads what is there, at most about `maxBytes`; the batch's checkpoint stands at a record boundary.
    package func read(maxBytes: Int, now: Timestamp, monotonic: Int64) throws -> PipelineRead {
        precondition(maxBytes >= Self.longestLine)
        drainNotifications()
        nextLook = monotonic + Self.lookInterval
        var result = PipelineRead()
        guard let file = try openFile(&result) else {
            if result.status == "ok" { result.status = "waiting: \(definition.path): \(String(cString: strerror(errno)))" }
            return result
        }
        if !file.continues(position) {
            result.notices.append("\(file.name) was truncated or overwritten; reading it from its first byte")
            beginLineage(at: 0)
        }
        let start = position.offset
        let bytes = file.read(at: start, most: maxBytes)
        var records = try consume(bytes, of: file, now: now)
        if position.offset == start, !bytes.isEmpty, hasSuccessor(file) {
            // The file will not grow any more, so its last line is whole without a newline.
            records += try consume(bytes + [0x0A], of: file, now: now)
            position.offset = start + Int64(bytes.count)
        }
        if !records.isEmpty || position.offset != start {
            mark(file)
            result.batch = CaptureBatch(source: name, records: records, checkpoint: position.checkpoint)
        }
        let isAtEnd = position.offset == start
        result.more = isAtEnd ? leave(file) : true
        return result
    }

    private func drainNotifications() {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while Glibc.read(inotify, &buffer, buffer.count) > 0 {}
    }

    // MARK: which file

    private func openFile(_ result: inout PipelineRead) throws -> TailFile? {
        if let file { return file }
        if !successors.isEmpty {
            file = TailFile(path: successors.removeFirst())
        } else if isFirstRead {
            file = TailFile(path: definition.path)
            if let file, definition.startsAtEnd { beginLineage(at: file.size) }
            if file != nil { isFirstRead = false }
            if let file { mark(file) }
        } else {
            file = findAgain(&result)
        }
        return file
    }

    /// After a start: the file that continues the position, under whatever name it has now.
    private func findAgain(_ result: inout PipelineRead) -> TailFile? {
        if let current = TailFile(path: definition.path), current.continues(position) { return current }
        for sibling in TailFile.siblings(of: definition.path) {
            if let old = TailFile(path: sibling.path), old.continues(position) { return old }
        }
        guard let current = TailFile(path: definition.path) else { return nil }
        result.notices.append("the file that was read last is gone; what it held after byte \(position.offset) is lost")
        beginLineage(at: 0)
        return current
    }

    /// At the end of a file: when its path names another one now, go on there. True when there is more to read.
    private func leave(_ file: TailFile) -> Bool {
        guard hasSuccessor(file), let current = TailFile(path: definition.path) else { return false }
        if successors.isEmpty { successors = younger(than: file, before: current) + [definition.path] }
        self.file = nil
        beginLineage(at: 0)
        return true
    }

    /// Whether the path names another file, with something in it.
    private func hasSuccessor(_ file: TailFile) -> Bool {
        if file.path == definition.path, file.isCurrent { return false }
        guard let current = TailFile(path: definition.path) else { return false }
        return current.size > 0 && (current.inode != file.inode || current.device != file.device)
    }

    private func younger(than file: TailFile, before current: TailFile) -> [String] {
        let siblings = TailFile.siblings(of: definition.path).compactMap { TailFile(path: $0.path) }
        guard let own = siblings.firstIndex(where: { $0.inode == file.inode && $0.device == file.device }) else { return [] }
        return siblings[(own + 1)...].filter { $0.inode != current.inode }.map(\.path)
    }

    private func beginLineage(at offset: Int64) {
        let previous = position.lineage.isEmpty ? position.previousLineage : position.lineage
        position = TailPosition()
        position.previousLineage = previous
        position.offset = offset
        decoder.beginFile()
        skipsLongLine = false
    }

    private func mark(_ file: TailFile) {
        position.headLength = Int(min(position.offset, Int64(TailPosition.headBlock)))
        position.headHash = file.hash(from: 0, length: position.headLength)
        position.tailLength = Int(min(position.offset, Int64(TailPosition.tailBlock)))
        position.tailHash = file.hash(from: position.offset - Int64(position.tailLength), length: position.tailLength)
        position.columns = decoder.columns
    }

    // MARK: bytes to records

    private func consume(_ bytes: [UInt8], of file: TailFile, now: Timestamp) throws -> [CapturedRecord] {
        let framed = LineFramer.frame(bytes, at: position.offset)
        var records: [CapturedRecord] = []
        for line in framed.lines {
            if skipsLongLine {
                skipsLongLine = false
                continue
            }
            if let record = try read(line, of: file, now: now) { records.append(record) }
        }
        position.offset = decoder.pendingOffset ?? framed.boundary
        if let tooLong = tooLongLine(bytes, framed: framed, of: file) { records.append(tooLong) }
        decoder.dropPending()
        return records
    }

    private func read(_ line: RawLine, of file: TailFile, now: Timestamp) throws -> CapturedRecord? {
        if line.bytes.contains(0) { return reject(line.offset, line.bytes, of: file, "nul", "the line holds NUL bytes") }
        let item = decoder.decode(line)
        if let columns = decoder.columns { try mapping.compile(columns: columns) }
        switch item {
        case nil: return nil
        case .reject(let offset, let bytes, let reason): return reject(offset, bytes, of: file, reason.code, reason.message)
        case .record(let record):
            if position.lineage.isEmpty { nameLineage(record) }
            return mapping.map(
                record, fallbackIdentity: "\(position.lineage):\(record.offset)", object: file.name, capturedAt: now)
        }
    }

    /// The lineage's id: the one before it and the first data line, so the same files read again give the same ids.
    private func nameLineage(_ first: Record) {
        position.lineage = Digest(sha256: Array((position.previousLineage + "|").utf8) + first.bytes).hex
    }

    /// A line longer than the limit is rejected by its beginning and skipped to its newline.
    private func tooLongLine(_ bytes: [UInt8], framed: LineFramer.Framed, of file: TailFile) -> CapturedRecord? {
        guard framed.lines.isEmpty, bytes.count >= Self.longestLine else { return nil }
        let wasSkipping = skipsLongLine
        skipsLongLine = true
        let offset = position.offset
        position.offset += Int64(bytes.count)
        if wasSkipping { return nil }
        return reject(
            offset, Array(bytes.prefix(4_096)), of: file, "too_long", "a line is longer than \(Self.longestLine) bytes")
    }

    private func reject(
        _ offset: Int64, _ bytes: [UInt8], of file: TailFile, _ code: String, _ message: String
    ) -> CapturedRecord {
        let identity = RecordIdentity(
            text: "\(position.lineage):\(offset)", recordHash: Digest(sha256: bytes), isTracked: false)
        return CapturedRecord(
            identity: identity, outcome: .reject(RejectReason(code: code, message: message)), bytes: bytes,
            position: "\(file.name):\(offset)")
    }
}
