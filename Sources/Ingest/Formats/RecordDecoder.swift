package import Inventory

/// A piece of a file as its format frames it: a line without its newline, or a record of fixed length.
package struct RawLine: Sendable, Equatable {
    package var offset: Int64
    package var bytes: ArraySlice<UInt8>

    package init(offset: Int64, bytes: ArraySlice<UInt8>) {
        self.offset = offset
        self.bytes = bytes
    }
}

/// A record as its format reads it: text by column, no meaning yet.
package struct Record: Sendable, Equatable {
    package var offset: Int64
    /// As the file has them.
    package var bytes: ArraySlice<UInt8>
    /// Valid UTF-8; the very bytes of the file where nothing had to be converted or unquoted.
    package var text: ArraySlice<UInt8>
    /// Where each column's value lies in `text`; `Record.absent` where the record has none: an SQL NULL.
    package var fields: [Range<Int>]
    /// The headers that it stands under, as the file has them with their line ends: what its own bytes do not say.
    package var context: [UInt8] = []

    package init(offset: Int64, bytes: ArraySlice<UInt8>, text: ArraySlice<UInt8>, fields: [Range<Int>]) {
        self.offset = offset
        self.bytes = bytes
        self.text = text
        self.fields = fields
    }

    package static let absent = -1 ..< -1

    /// What it can be read from again by itself.
    package var repeatable: ArraySlice<UInt8> { context.isEmpty ? bytes : (context + bytes)[...] }

    package func value(_ column: Int) -> String {
        fields[column] == Self.absent ? "" : String(decoding: text[fields[column]], as: UTF8.self)
    }
    package var values: [String] { fields.indices.map(value) }
}

package enum DecodedItem: Sendable, Equatable {
    case record(Record)
    case reject(offset: Int64, bytes: ArraySlice<UInt8>, reason: RejectReason)
    /// What is told and changes nothing.
    case notice(String)

    static func reject(_ line: RawLine, _ code: String, _ message: String) -> DecodedItem {
        .reject(offset: line.offset, bytes: line.bytes, reason: RejectReason(code: code, message: message))
    }
}

/// Bytes to records, one format a type. Whoever reads cuts pieces by `framing` and gives them in order.
///
/// A decoder neither reads nor waits; it may hold one unfinished record (`pendingOffset`), before which a checkpoint must
/// stand. What else it must know to go on in the middle of a file is `state`.
package protocol RecordDecoder: Sendable {
    /// The columns' names once they are known.
    var columns: [String]? { get }
    var framing: Framing { get }
    /// The first byte of a record that goes on in the next piece.
    var pendingOffset: Int64? { get }
    /// Why the file must not end within it.
    var pendingReason: RejectReason { get }
    /// What a checkpoint keeps: small, and valid after `pendingOffset` was dropped.
    var state: DecoderState { get }

    /// Nil for what is no record of its own: a header, a blank line, part of a record.
    mutating func decode(_ line: RawLine) -> DecodedItem?
    /// Forgets an unfinished record: it will be read again from its first byte.
    mutating func dropPending()
    /// What the file's end means: nothing, or what is missing, such as a trailer. The next file begins afresh after it.
    mutating func finish() -> RejectReason?
}

extension RecordDecoder {
    package var pendingOffset: Int64? { nil }
    package var pendingReason: RejectReason {
        RejectReason(code: "quote", message: "a quote is open where the file ends")
    }
    package mutating func dropPending() {}
    package mutating func finish() -> RejectReason? { nil }
}

/// A decoder's memory at a record boundary.
package struct DecoderState: Sendable, Equatable, Codable {
    /// Names that a header line gave.
    package var columns: [String]?
    /// Of record groups: what the headers at hand said, and what was counted since.
    package var group: GroupState?

    package init(columns: [String]? = nil, group: GroupState? = nil) {
        self.columns = columns
        self.group = group
    }
}
