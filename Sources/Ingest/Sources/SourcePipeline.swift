import CLinux
import Glibc
package import Inventory

// One source from bytes to events: tail, format, mapping.
//
// A file is known by what was read of it (hash of its head, and of the 4 KiB before the offset), never by name, size
// or inode. Before each read the file at hand must still continue its position; otherwise it was truncated or
// overwritten. A file whose path names another one is read to its end and then lingers: it is looked at for a while
// longer, since its writer may still hold it open, and meanwhile the next one is read. The next one is the oldest
// sibling that was never read, else what the path names now; it is looked for each time, since a rotator does not wait.

package final class SourcePipeline: SourceReader {
    package let name: String
    package var mappingVersion: String { mapping.version }
    private let definition: SourceDefinition
    private let site: SiteIdentity
    private let mapping: Mapping
    private let series: FileSeries
    private let watch: DirectoryWatch
    private let losses: LossTeller
    /// As of the last batch that was handed out.
    private var state: TailState
    private var isFirstLook: Bool
    /// The damaged outbox that knew where this source stood: a first start then skips nothing.
    private let lostWith: String?
    private var isResumed = false
    private var current: FollowedFile?
    private var lingering: [FollowedFile] = []

    /// Of the file that was read last.
    private var columns: [String]?
    private var nextLookup: Int64 = 0

    private static let lookInterval: Int64 = 1_000
    private static let mostRecords = 1_500

    /// Throws `IngestError` for a mapping, encoding or time zone that cannot be used. With `lostWith`, the name of a
    /// damaged outbox, a source without checkpoint is read from the oldest line that is there.
    package init(
        _ definition: SourceDefinition, site: SiteIdentity, rules: InventoryRules, checkpoint: Checkpoint?,
        lostWith: String? = nil
    ) throws {
        self.lostWith = lostWith
        self.definition = definition
        self.site = site
        name = definition.name
        series = FileSeries(path: definition.path, scratch: definition.scratchDirectory)
        state = checkpoint.flatMap(TailState.init) ?? TailState()
        isFirstLook = checkpoint == nil
        mapping = try Mapping(
            definition.mapping, site: site, source: definition.name, rules: rules, timeZone: definition.timeZone)
        let decoder = try definition.format.decoder(resuming: state.current?.decoderState)
        columns = decoder.columns
        if let columns { try mapping.compile(columns: columns) }
        watch = DirectoryWatch(series.watchedDirectory)
        losses = LossTeller(source: definition.name, kind: "tail", site: site, object: series.name)
    }

    package var watchDescriptors: [Int32] { [watch.descriptor] }

    /// Monotonic milliseconds of the next periodic look: network shares never notify.
    package private(set) var nextLook: Int64 = 0

    /// Reads what is there, at most about `maxBytes` (1 MiB or more); the batch's checkpoint stands at record boundaries.
    package func read(maxBytes: Int, now: Timestamp, monotonic: Int64) throws -> PipelineRead {
        precondition(maxBytes >= FollowedFile.longestLine)
        _ = watch.drain()
        let reader = RecordReader(
            mapping: mapping, now: now, monotonic: monotonic, maxBytes: maxBytes, maxRecords: Self.mostRecords)
        var result = PipelineRead()
        var records: [CapturedRecord] = []
        if monotonic >= nextLookup {
            nextLookup = monotonic + Self.lookInterval
            result.notices += mapping.reloadLookups()
        }
        nextLook = monotonic + Self.lookInterval
        if isFirstLook { beginFirst(now, &records, &result) }
        if !isFirstLook, !isResumed { try resume(reader, &records, &result) }
        isFirstLook = false
        isResumed = true
        try readLingering(reader, &records, &result)
        try readCurrent(reader, &records, &result)
        result.isAtEnd = !result.more && result.status == "ok"
        let reached = reachedState()
        if !records.isEmpty || reached != state {
            state = reached
            result.batch = CaptureBatch(source: name, records: records, checkpoint: try state.checkpoint())
        }
        return result
    }

    /// Maps a reject's bytes again, by the present mapping and columns, under the identity that it had.
    package func remap(_ bytes: [UInt8], identity: String, position: String, now: Timestamp) throws -> CapturedRecord {
        try Remapping(format: definition.format, state: state.current?.decoderState, mapping: mapping)
            .record(bytes, identity: identity, position: position, now: now)
    }

    private func reachedState() -> TailState {
        var reached = state
        reached.current = current?.position ?? state.current
        reached.lingering = lingering.map(\.position)
        return reached
    }

    // MARK: reading

    private func readCurrent(
        _ reader: RecordReader, _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) throws {
        guard let open = try openCurrent(reader, &result) else {
            if result.status == "ok" { result.status = "waiting: \(definition.path): \(series.absence)" }
            return
        }
        if open.isOverwritten { return try leaveOverwritten(open, reader, &records, &result) }
        // None of its lines was read, so a file that was copied from it before a truncation comes first.
        if open.position.lineage.isEmpty, series.named()?.isSame(as: open.file) == true,
            neverRead(besides: [open.file] + lingering.map(\.file)) != nil
        {
            leave(open, &result)
            return
        }
        let start = open.position.offset
        let mayFlush = definition.flushAfter.map { reader.monotonic - open.lastGrowth >= $0 } ?? false
        records += try open.read(reader, isFinal: mayFlush && !open.isDrained)
        result.notices += open.takeNotices()
        if let found = open.position.columns, found != columns {
            result.notices += NewColumns.told(columns, found, in: open.file.name)
            columns = found
        }
        let hasMoved = open.position.offset != start
        if hasMoved { result.more = true }
        if !hasMoved, let next = nextFile(after: open, &result) {
            try linger(open, reader, &records, &result)
            current = try follow(next, at: .beginning(after: open.position), reader)
            result.more = true
        }
    }

    /// What comes next is decided anew.
    private func leave(_ open: FollowedFile, _ result: inout PipelineRead) {
        state.current = open.position
        current = nil
        result.more = true
    }

    private func openCurrent(_ reader: RecordReader, _ result: inout PipelineRead) throws -> FollowedFile? {
        if let current { return current }
        let isFirst = state.current == nil
        // Before the others are listed: what a rotator renames in between is then found twice, never passed over.
        let named = series.named()
        let unread = neverRead(besides: lingering.map(\.file))
        guard let found = unread.map({ opened($0, &result) }) ?? named else { return nil }
        let followed = try follow(found, at: .beginning(after: state.current ?? TailPosition()), reader)
        if isFirst, lostWith == nil, skips(found) { try followed.skipToEnd(reader) }
        current = followed
        return followed
    }

    /// Whether what a first start finds in this file is left out.
    private func skips(_ file: TailFile) -> Bool {
        guard series.isPattern || file.path == definition.path else { return false }
        return definition.startsAtEnd
            || definition.startsAt.map { file.modified / 1_000_000 < $0.milliseconds } ?? false
    }

    private func opened(_ file: SeriesFile, _ result: inout PipelineRead) -> TailFile? {
        if let opened = series.opened(file) { return opened }
        result.status = "waiting: \(file.name) cannot be expanded: \(String(cString: strerror(errno)))"
        return nil
    }

    private func follow(_ file: TailFile, at position: TailPosition, _ reader: RecordReader) throws -> FollowedFile {
        try FollowedFile(file, at: position, format: definition.format, monotonic: reader.monotonic)
    }

    /// Truncated, or other bytes stand where it was read: a copy may hold the rest of what it was, else it begins anew.
    private func leaveOverwritten(
        _ open: FollowedFile, _ reader: RecordReader, _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) throws {
        if open.position.lineage.isEmpty { return leave(open, &result) }
        result.more = true
        if let copy = continuation(of: open.position) {
            result.notices.append("\(open.file.name) was truncated; \(copy.name) holds what it was")
            current = try follow(copy, at: open.position, reader)
            return
        }
        result.notices.append("\(open.file.name) was truncated or overwritten; reading it from its first byte")
        if open.isKnownUnread { records.append(loss(of: open.position, now: reader.now)) }
        current = try follow(open.file, at: .beginning(after: open.position), reader)
    }

    // MARK: rotation

    /// When the path names another file: the oldest one that was never read, else that one once it holds something.
    private func nextFile(after open: FollowedFile, _ result: inout PipelineRead) -> TailFile? {
        let named = series.named()
        if let named, named.isSame(as: open.file) { return nil }
        let busy = [open.file, named].compactMap(\.self) + lingering.map(\.file)
        if let missed = neverRead(besides: busy) { return opened(missed, &result) }
        guard let named, named.size > 0, !lingering.contains(where: { $0.file.isSame(as: named) }) else { return nil }
        return named
    }

    /// The first other file with something in it that no list knows.
    private func neverRead(besides busy: [TailFile]) -> SeriesFile? {
        series.others(after: state.floorName).first { other in
            state.isUnread(other, of: series) && !busy.contains { other.isSame(as: $0) }
        }
    }

    /// A file that was read to its end stays open: its writer may not have closed it yet.
    private func linger(
        _ open: FollowedFile, _ reader: RecordReader, _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) throws {
        state.note(.plain(open.file), of: series, hasData: !open.position.lineage.isEmpty)
        lingering.append(open)
        while lingering.count > TailState.mostLingering { try finish(at: 0, reader, &records, &result) }
    }

    private func readLingering(
        _ reader: RecordReader, _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) throws {
        for index in lingering.indices.reversed() {
            let old = lingering[index]
            if old.isOverwritten {
                lingering.remove(at: index)
                continue
            }
            let start = old.position.offset
            records += try old.read(reader)
            result.notices += old.takeNotices()
            if old.position.offset != start {
                result.more = true
            } else if reader.monotonic - old.lastGrowth >= definition.linger {
                try finish(at: index, reader, &records, &result)
            }
        }
    }

    /// Nothing more is awaited of it, so its last line is whole without a newline.
    private func finish(
        at index: Int, _ reader: RecordReader, _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) throws {
        let old = lingering.remove(at: index)
        var start: Int64
        repeat {
            start = old.position.offset
            records += try old.read(reader, isFinal: true, isLastLook: true)
        } while old.position.offset != start
        if let missing = old.end() { records.append(missing) }
        result.notices += old.takeNotices()
        state.note(.plain(old.file), of: series, hasData: !old.position.lineage.isEmpty)
    }

    private func beginFirst(_ now: Timestamp, _ records: inout [CapturedRecord], _ result: inout PipelineRead) {
        guard let lostWith else {
            return state.begin(series, start: definition.startsAt, atEnd: definition.startsAtEnd)
        }
        result.notices.append("the outbox was damaged (\(lostWith)): reading all that is there from the first byte")
        records.append(losses.outboxLost(lostWith, now: now))
    }

    // MARK: after a start

    /// Nil before the first data line: all files with the same header seem to go on there, and none of it was read, so
    /// the oldest file that was never read comes next.
    private func continuation(of position: TailPosition) -> TailFile? {
        position.lineage.isEmpty ? nil : series.file(continuing: position)
    }

    private func resume(
        _ reader: RecordReader, _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) throws {
        for position in state.lingering {
            guard let file = continuation(of: position) else {
                if position.lineage.isEmpty { continue }
                result.notices.append("a rotated file that was read to byte \(position.offset) is gone")
                continue
            }
            lingering.append(try follow(file, at: position, reader))
        }
        guard let position = state.current, !position.lineage.isEmpty else { return }
        if let file = continuation(of: position) {
            current = try follow(file, at: position, reader)
        } else if series.named() != nil || series.isPattern && !series.others().isEmpty {
            result.notices.append("the file that was read to byte \(position.offset) is gone; its rest is lost")
            records.append(loss(of: position, now: reader.now))
        } else {
            isResumed = false
        }
    }

    private func loss(of position: TailPosition, now: Timestamp) -> CapturedRecord {
        let from = "\(position.lineage):\(position.offset)"
        let loss = SourceLoss(
            what: "the rest of a rotated file", from: from, to: "its end, unknown",
            cause: "no file in the directory continues what was read")
        return losses.record(
            loss, from: from, hashed: "\(from):\(position.tailHash)", offset: position.offset, now: now)
    }
}
