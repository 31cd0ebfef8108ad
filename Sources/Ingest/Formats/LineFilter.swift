package import Inventory

/// Keeps from a format what its definition says is no record: titles before the header, comments, footers.
///
/// Titles and header are one unfinished record: a checkpoint stands before the first of them, or behind them all.
package struct LineFilter: RecordDecoder {
    private var records: any RecordDecoder
    private let text: TextDecoder
    private let skipped: Int
    /// UTF-8.
    private let ignored: [[UInt8]]
    /// Lines of the titles that were seen; nil: the records have begun.
    private var seen: Int?

    init(_ records: any RecordDecoder, _ format: FormatDefinition, _ text: TextDecoder) {
        self.records = records
        self.text = text
        skipped = format.skippedLines
        ignored = format.ignoredLines.map { Array($0.utf8) }
    }

    package var columns: [String]? { records.columns }
    package var framing: Framing { records.framing }
    package var state: DecoderState { records.state }
    package var pendingOffset: Int64? { seen == nil ? records.pendingOffset : 0 }

    package var pendingReason: RejectReason {
        guard seen != nil else { return records.pendingReason }
        return RejectReason(code: "truncated", message: "the file ends within the \(skipped) lines before its records")
    }

    package mutating func decode(_ line: RawLine) -> DecodedItem? {
        if line.offset == 0, skipped > 0 { seen = 0 }
        if let count = seen, count < skipped {
            seen = count + 1 == skipped && records.columns != nil ? nil : count + 1
            return nil
        }
        if records.pendingOffset == nil, isIgnored(line) { return nil }
        let item = records.decode(line)
        if records.columns != nil { seen = nil }
        return item
    }

    package mutating func dropPending() {
        seen = nil
        records.dropPending()
    }

    package mutating func finish() -> RejectReason? { records.finish() }

    private func isIgnored(_ line: RawLine) -> Bool {
        guard !ignored.isEmpty, let plain = text.convert(line.bytes) else { return false }
        let begins = line.offset == 0 && plain.starts(with: TextDecoder.byteOrderMark) ? plain.dropFirst(3) : plain
        return ignored.contains { begins.starts(with: $0) }
    }
}
