/// What a sample seems to be: its format, and what its columns hold.
package struct SampleSketch: Sendable {
    package var format: FormatDefinition
    /// How sure that is, in words.
    package var notes: [String]
    /// As a mapping names them.
    package var columns: [ColumnSketch]
    package var records: Int
    /// False: the columns are numbered.
    var hasOwnNames: Bool { format.kind == .jsonl || format.kind == .csv && format.hasHeader }
    /// The values, by record and column.
    var rows: [[String]]

    /// Throws `IngestError` for what is no text with records, or of a format that is not read.
    package init(_ sample: Sample) throws {
        guard !sample.bytes.isEmpty else {
            throw IngestError("the file is empty", hint: "take one with some records")
        }
        if let kind = Self.foreign(sample.bytes) {
            throw IngestError("this is \(kind)", hint: "let the WMS export text: csv, fixed columns or JSON lines")
        }
        guard let encoding = EncodingGuess.found(in: sample.bytes) else {
            throw IngestError(
                "these bytes are no text in any known encoding", hint: "let the WMS export text, such as csv")
        }
        var format = FormatDefinition()
        format.encoding = encoding.encoding
        let lines = try SampleLines(sample, encoding: encoding.encoding)
        let table = try Self.table(sample, lines, format)
        guard let table, !table.names.isEmpty else {
            throw IngestError(
                "no columns can be seen: no separator comes as often in each line, and no column of blanks",
                hint: "give the format by hand; docs/formats.md tells what there is")
        }
        self.format = table.format
        notes = ["encoding \(encoding.encoding), \(encoding.why)"] + table.notes
        rows = table.rows
        records = table.rows.count
        let all = rows
        columns = table.names.enumerated().map { index, name in
            var column = ColumnSketch(name: name, values: all.map { index < $0.count ? $0[index] : "" })
            if table.packed.contains(index) { column.kind = .packed }
            return column
        }
    }

    /// What all lines have in common decides; a decimal comma in each is no second column.
    private static func table(
        _ sample: Sample, _ lines: SampleLines, _ format: FormatDefinition
    ) throws -> TableSketch? {
        if let json = try JSONTable.read(lines, format) { return json }
        let separated = try SeparatedTable.best(lines, format) ?? SeparatedGroups.best(lines, format)
        if let separated, separated.names.count > 3 { return separated }
        let fixed = try FixedTable.read(sample, lines, format)
        return (fixed?.names.count ?? 0) > (separated?.names.count ?? 0) ? fixed : separated
    }

    private static let beginnings: [(String, String)] = [
        ("%PDF", "a PDF document"), ("<?xml", "XML, which is not read in this version"),
        ("ISA*", "X12, which is not read in this version"), ("UNA:", "EDIFACT, which is not read in this version"),
        ("UNB+", "EDIFACT, which is not read in this version"),
        ("EDI_DC40", "an IDoc, which is not read in this version"), ("SQLite format 3", "an SQLite database"),
        ("\u{7F}ELF", "a program"),
    ]

    /// What it is by its first bytes, where that is nothing that can be read.
    private static func foreign(_ bytes: [UInt8]) -> String? {
        if bytes.starts(with: [0xD0, 0xCF, 0x11, 0xE0]) { return "an old Office document" }
        return beginnings.first { bytes.starts(with: Array($0.0.utf8)) }?.1
    }
}

/// A sample as records of one format.
struct TableSketch {
    var format: FormatDefinition
    var names: [String]
    var rows: [[String]]
    var notes: [String] = []
    var packed: Set<Int> = []
}

/// The lines of a sample as text.
struct SampleLines {
    let raw: [RawLine]
    let texts: [String]
    /// Of each in the file, from 0: blank ones are not here.
    let numbers: [Int]
    /// The last one has no end: it may be torn.
    let endsOpen: Bool

    init(_ sample: Sample, encoding: String) throws {
        let decoder = try TextDecoder(encoding: encoding)
        let present = sample.pieces(Framing(encoding: encoding)).enumerated().filter { !$0.element.bytes.isEmpty }
        raw = present.map(\.element)
        numbers = present.map(\.offset)
        let end = sample.bytes.withUnsafeBytes { Framing(encoding: encoding).afterLast(in: $0) }
        endsOpen = end != sample.bytes.count
        texts = raw.map { line in
            let text = decoder.convert(line.bytes).map { String(decoding: $0, as: UTF8.self) } ?? ""
            return text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text
        }
    }
}
