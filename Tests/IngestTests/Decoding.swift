import Foundation
import Ingest
import Inventory
import Testing

/// What a decoder makes of a file that is read at once; rejects are `!code`.
func decoded(_ bytes: [UInt8], _ format: FormatDefinition) throws -> [DecodedItem] {
    var reader = try GrowingReader(format)
    return try reader.read(bytes, isWhole: true)
}

func decoded(_ text: String, _ format: FormatDefinition) throws -> [[String]] {
    try decoded(Array(text.utf8), format).map(words)
}

func words(_ item: DecodedItem) -> [String] {
    switch item {
    case .record(let record): record.values
    case .reject(_, _, let reason): ["!" + reason.code]
    case .notice(let text): [text]
    }
}

/// A format with these columns.
func definition(
    _ kind: FormatDefinition.Kind, _ columns: [String], _ change: (inout FormatDefinition) -> Void = { _ in }
) -> FormatDefinition {
    var format = FormatDefinition()
    format.kind = kind
    format.columns = columns
    format.hasHeader = columns.isEmpty
    change(&format)
    return format
}

/// Reads a file that grows as the tail does: pieces by framing, and what is not whole is read again from its first byte.
struct GrowingReader {
    private let format: FormatDefinition
    private var decoder: any RecordDecoder
    private(set) var offset = 0

    var state: DecoderState { decoder.state }
    var columns: [String]? { decoder.columns }

    /// `offset`: where `state` was taken.
    init(_ format: FormatDefinition, at offset: Int = 0, resuming state: DecoderState? = nil) throws {
        self.format = format
        self.offset = offset
        decoder = try format.decoder(resuming: state)
    }

    /// The items of the whole pieces that `file` holds beyond what was read; `isWhole`: its last one wants no line end.
    mutating func read(_ file: [UInt8], isWhole: Bool = false, most: Int = .max) throws -> [DecodedItem] {
        var items: [DecodedItem] = []
        var start = offset
        while start < file.count, items.count < most {
            guard let end = decoder.framing.end(of: file, from: start) ?? (isWhole ? file.count : nil) else { break }
            let line = decoder.framing.trimmed(file[start..<end])
            if let item = decoder.decode(RawLine(offset: Int64(start), bytes: line)) { items.append(item) }
            start = min(file.count, end + decoder.framing.separator)
        }
        offset = decoder.pendingOffset.map { Int($0) } ?? start
        decoder.dropPending()
        return items
    }
}

/// As a checkpoint gives it back.
func stored(_ state: DecoderState) throws -> DecoderState {
    try JSONDecoder().decode(DecoderState.self, from: try JSONEncoder().encode(state))
}
