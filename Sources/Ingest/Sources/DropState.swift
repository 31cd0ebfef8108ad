import FoundationEssentials
import Inventory

/// All that a drop source must know to go on, as its checkpoint stores it; the rest is in its `SourceMemory`.
struct DropState: Equatable, Codable {
    /// Which memory file this belongs to, and how far it counts.
    var memory: String?
    var generation: Int64 = 0
    /// Where the last file stood in the order, and its number and date, for gaps.
    var upTo = ""
    var sequence: Int64?
    var date = ""
    /// The time that the last full export spoke of.
    var asOf = ""
    /// The file in the middle of which this stands.
    var reading: Reading?
    /// The full export whose changed keys are being told.
    var telling: Telling?
    /// The export that is being held against the stock.
    var checking: Checking?
    /// When the last check was asked for that was begun, in milliseconds since 1970.
    var reconciled: Int64?
    /// Names that the last header gave, for a reject that is mapped again.
    var columns: [String]?

    struct Reading: Equatable, Codable {
        /// Stamps of its parts.
        var stamps: [String]
        var hash: String
        /// A content that is read again on purpose counts its readings.
        var occurrence: Int64
        var part: Int
        var position: TailPosition
    }

    struct Telling: Equatable, Codable {
        var export: String
        var hash: String
        var generation: Int64
        /// Milliseconds since 1970.
        var asOf: Int64
        var isTimeOfFile: Bool
        /// The last key that was told.
        var after: String
    }

    struct Checking: Equatable, Codable {
        var export: String
        var hash: String
        /// Milliseconds since 1970.
        var asOf: Int64
        var isFix: Bool
        /// The keys that only the ledger knows.
        var isSecondPass: Bool
        var after: String
        var compared: Int64
        var left: Int64
        var baselines: Int64
    }

    init() {}

    /// Nil for what another kind of source left.
    init?(_ checkpoint: Checkpoint) {
        guard checkpoint.kind == "drop",
            let state = try? JSONDecoder().decode(DropState.self, from: Data(checkpoint.text.utf8))
        else { return nil }
        self = state
    }

    func checkpoint(_ object: String) throws -> Checkpoint {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let text = String(decoding: try encoder.encode(self), as: UTF8.self)
        let place = reading.map { "\(object):\($0.position.offset)" } ?? telling.map { "\(object):\($0.after.count)" }
        return Checkpoint(kind: "drop", text: text, position: String((place ?? object).suffix(256)))
    }
}
