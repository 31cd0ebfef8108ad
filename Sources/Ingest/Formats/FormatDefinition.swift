/// How a source's files are written; `[source.format]` of the configuration, validated.
package struct FormatDefinition: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable { case csv, fixed, jsonl }

    package var kind = Kind.csv
    package var encoding = "utf-8"
    /// `csv`: one byte each.
    package var delimiter: UInt8 = UInt8(ascii: ",")
    package var quote: UInt8 = UInt8(ascii: "\"")
    package var hasHeader = true
    /// `csv`: names for files without a header. `fixed`: `name from-to`, with a kind and decimal places where it is no
    /// text (`qty 18-22 packed 2`). `jsonl`: the paths that become columns (`item.code`).
    package var columns: [String] = []
    /// `fixed`: bytes of each record; nil: each is a line.
    package var length: Int?
    /// Lines at a file's beginning that are no records, a header's too: titles.
    package var skippedLines = 0
    /// A line that begins with one of them is no record: comments, titles of pages, footers.
    package var ignoredLines: [String] = []
    /// Where a record's type stands: a column's number for `csv`, a range such as `1-3` for `fixed`; nil: all are alike.
    package var recordType: String?
    /// What each record type holds.
    package var layouts: [RecordLayout] = []
    /// What a trailer whose figures do not fit means.
    package var counts = CountPolicy.reject

    package enum CountPolicy: String, Sendable, CaseIterable { case reject, warn, ignore }

    package init() {}

    /// Begins at a file's first byte, or where a checkpoint stood. Throws `IngestError` for what cannot be read.
    package func decoder(resuming state: DecoderState? = nil) throws -> any RecordDecoder {
        let records = try recordDecoder(state)
        if skippedLines == 0, ignoredLines.isEmpty { return records }
        return LineFilter(records, self, try TextDecoder(encoding: encoding))
    }

    private func recordDecoder(_ state: DecoderState?) throws -> any RecordDecoder {
        if let recordType { return try RecordGroups(format: self, typeAt: recordType, state: state?.group) }
        return switch kind {
        case .csv: try CSVDecoder(format: self, columns: state?.columns)
        case .fixed: try FixedDecoder(format: self)
        case .jsonl: try JSONLinesDecoder(format: self)
        }
    }
}

/// What records of one type hold, and what they are for.
package struct RecordLayout: Sendable, Equatable {
    package enum Role: String, Sendable, CaseIterable {
        /// Becomes a record.
        case detail
        /// Its columns are carried onto the details that follow, until the next one of its type, or of one that stands
        /// before it in the list.
        case header
        /// Says what there should have been since the last one of its type.
        case trailer
    }

    package var type: String
    package var role: Role
    package var columns: [String]
    /// Of a trailer: its columns that count records of a type (`*`: details), and those that hold the sum of a detail's
    /// column.
    package var counts: [String: String] = [:]
    package var sums: [String: String] = [:]

    package init(type: String, role: Role, columns: [String]) {
        self.type = type
        self.role = role
        self.columns = columns
    }
}
