import FoundationEssentials
import Inventory

/// Where one file of a tail stands: hashes decide which file it is, device and inode only hint.
struct TailPosition: Equatable, Codable {
    /// Empty until the first data line of the file was read.
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
    /// The offset stands inside a line that is too long; the rest up to its newline is skipped.
    var skipsLine = false

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
    var inode: UInt64
    var device: UInt64
    var size: Int64
    var headLength: Int
    var headHash: String
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

    /// With up to 200 bytes each this keeps a checkpoint small.
    static let mostKnown = 16
    static let mostLingering = 8

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
