import FoundationEssentials
import Inventory

/// Where one file of a tail stands: hashes decide which file it is, device and inode only hint.
struct TailPosition: Equatable, Codable {
    /// Empty until the first data line of the file was read, or skipped.
    var lineage = ""
    var previousLineage = ""
    var offset: Int64 = 0
    /// Bytes of the head block and its hash.
    var headLength = 0
    var headHash = ""
    /// The at most 4 KiB before `offset`.
    var tailLength = 0
    var tailHash = ""
    var columns: [String]?
    var group: GroupState?
    /// A hint where to look first; both change with a copy, a restore, and on some systems a reboot.
    var inode: UInt64 = 0
    var device: UInt64 = 0
    /// The offset stands inside a line that is too long; the rest up to its newline is skipped.
    var skipsLine = false

    var decoderState: DecoderState { DecoderState(columns: columns, group: group) }

    static let headBlock = 1_024
    static let tailBlock = 4_096

    /// A lineage that follows another.
    static func beginning(after previous: TailPosition) -> TailPosition {
        var position = TailPosition()
        position.previousLineage = previous.lineage.isEmpty ? previous.previousLineage : previous.lineage
        return position
    }
}

/// A file that was read, or that was there before the first start: it is never read again.
struct KnownFile: Equatable, Codable {
    var name: String
    var inode: UInt64
    var device: UInt64
    /// What it held when it was noted; it may have grown since.
    var size: Int64
    /// When it was changed last, in seconds since 1970.
    var changed: Int64
    /// False for a file that held its header at most: grown, it is one that was never read.
    var hasData = true
    /// Of its head block and of the block before `size`: the head alone proves little, many files begin with the same
    /// header. The content alone proves little too, where it is short: a file that only holds its header is like any
    /// other.
    var hash: String

    static func hash(head: [UInt8], tail: [UInt8]) -> String { String(Digest(sha256: head + tail).hex.prefix(32)) }
}

/// All that a tail must know to go on, as its checkpoint stores it.
struct TailState: Equatable, Codable {
    /// Nil before the first file was opened.
    var current: TailPosition?
    /// Rotated files that were read to their end and may still grow, oldest first.
    var lingering: [TailPosition] = []
    /// At most `mostKnown`, oldest first.
    var known: [KnownFile] = []
    /// Siblings that were modified before this (nanoseconds) are never read, known or not.
    var floor: Int64 = 0
    /// The same for a pattern, whose files are read by name: those up to it are never read.
    var floorName = ""

    /// With up to 200 bytes each this keeps a checkpoint small.
    static let mostKnown = 16
    static let mostLingering = 8

    /// Whether no list knows this file and something is in it.
    func isUnread(_ file: SeriesFile, of series: FileSeries) -> Bool {
        let isAboveFloor = series.isPattern ? file.name > floorName : file.modified > floor
        return isAboveFloor && file.size > 0 && !known.contains { file.isKnown(as: $0) }
    }

    /// The file was read to its end.
    mutating func note(_ file: SeriesFile, of series: FileSeries, hasData: Bool = true) {
        known.removeAll { file.isKnown(as: $0) }
        guard var fingerprint = file.fingerprint else { return }
        fingerprint.hasData = hasData
        known.append(fingerprint)
        guard known.count > Self.mostKnown else { return }
        let dropped = known.removeFirst()
        if series.isPattern {
            floorName = max(floorName, dropped.name)
        } else if let sibling = series.others().first(where: { $0.isKnown(as: dropped) }) {
            floor = max(floor, sibling.modified)
        }
    }

    /// A first start: what is there already is left out, but for the files that were changed since `start`, and all but
    /// the last of a pattern where it begins at the end.
    mutating func begin(_ series: FileSeries, start: Timestamp?, atEnd: Bool) {
        guard !series.isPattern || start != nil || atEnd else { return }
        var files = series.others()
        if series.isPattern, atEnd { files = Array(files.dropLast()) }
        for file in files where start.map({ file.modified / 1_000_000 < $0.milliseconds }) ?? true {
            if series.isPattern { floorName = max(floorName, file.name) } else { floor = max(floor, file.modified) }
            if file.size > 0 { note(file, of: series) }
        }
    }

    init() {}

    /// Nil for what another kind of source, or a broken file, left.
    init?(_ checkpoint: Checkpoint) {
        guard checkpoint.kind == "tail",
            let state = try? JSONDecoder().decode(TailState.self, from: Data(checkpoint.text.utf8))
        else { return nil }
        self = state
    }

    func checkpoint() throws -> Checkpoint {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let text = String(decoding: try encoder.encode(self), as: UTF8.self)
        let place = current ?? TailPosition()
        return Checkpoint(
            kind: "tail", text: text,
            position: "\(place.lineage.prefix(32)):\(place.offset):\(place.tailHash.prefix(16))")
    }
}
