import Inventory

/// Where a tail stands, as a checkpoint stores it: hashes decide which file it is, device and inode only hint.
struct TailPosition: Equatable {
    /// Empty until the first data line of the first file was read.
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

    static let headBlock = 1_024
    static let tailBlock = 4_096
    private static let separator: Character = "\u{1F}"

    init() {}

    init?(_ checkpoint: Checkpoint) {
        let parts = checkpoint.text.split(separator: Self.separator, omittingEmptySubsequences: false).map(String.init)
        guard checkpoint.kind == "tail", parts.count >= 9, parts[0] == "1", let offset = Int64(parts[3]),
            let headLength = Int(parts[4]), let tailLength = Int(parts[6])
        else { return nil }
        lineage = parts[1]
        previousLineage = parts[2]
        self.offset = offset
        self.headLength = headLength
        headHash = parts[5]
        self.tailLength = tailLength
        tailHash = parts[7]
        columns = parts[8] == "1" ? Array(parts[9...]) : nil
    }

    var checkpoint: Checkpoint {
        let fixed = [
            "1", lineage, previousLineage, String(offset), String(headLength), headHash, String(tailLength), tailHash,
            columns == nil ? "0" : "1",
        ]
        let text = (fixed + (columns ?? [])).joined(separator: String(Self.separator))
        return Checkpoint(kind: "tail", text: text, position: "\(lineage.prefix(32)):\(offset):\(tailHash.prefix(16))")
    }
}
