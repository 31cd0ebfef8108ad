import Ingest

/// `[source.format]`: what a file's records look like.
extension ConfigurationReader {
    func format(_ table: ConfigurationTable) -> FormatDefinition {
        var format = FormatDefinition()
        format.kind = table.text("type").flatMap { FormatDefinition.Kind(rawValue: $0) } ?? .csv
        format.encoding = table.text("encoding") ?? format.encoding
        format.columns = table.texts("columns") ?? []
        format.delimiter = byte(table, "delimiter") ?? format.delimiter
        format.quote = byte(table, "quote") ?? format.quote
        format.skippedLines = table.measure("skip_lines").map { Int($0) } ?? 0
        format.ignoredLines = table.texts("ignore_lines") ?? []
        let header = table.flag("header")
        format.length = table.measure("length").map { Int($0) }
        format.recordType = table.text("record_type")
        format.layouts = table.tables("record").compactMap(layout)
        format.counts = table.text("counts").flatMap { FormatDefinition.CountPolicy(rawValue: $0) } ?? format.counts
        format.hasHeader = header ?? (format.kind == .csv && format.recordType == nil)
        let before = table.problems.count
        check(table, format)
        if table.problems.count == before { tryOut(table, format) }
        table.finish()
        return format
    }

    private func check(_ table: ConfigurationTable, _ format: FormatDefinition) {
        if !TextDecoder.encodings.contains(format.encoding) {
            table.wrong(
                "encoding", "\"\(format.encoding)\" is none of \(TextDecoder.encodings.joined(separator: ", "))")
        }
        if format.ignoredLines.contains(where: \.isEmpty) {
            table.wrong("ignore_lines", "holds an empty text, and each line begins with that")
        }
        if format.kind == .csv {
            checkSeparated(table, format)
        } else {
            for key in ["delimiter", "quote", "header"] where table.members[key] != nil {
                table.wrong(key, "belongs to csv, and this is \(format.kind.rawValue)")
            }
        }
        if format.kind != .fixed, table.members["length"] != nil {
            table.wrong("length", "belongs to fixed, and this is \(format.kind.rawValue)")
        }
        checkGroups(table, format)
    }

    private func checkSeparated(_ table: ConfigurationTable, _ format: FormatDefinition) {
        if format.delimiter == format.quote { table.wrong("quote", "is the delimiter too") }
        guard format.recordType == nil else {
            if format.hasHeader {
                table.wrong("header", "with record_type the names stand in [[source.format.record]]")
            }
            return
        }
        if !format.hasHeader, format.columns.isEmpty {
            table.wrong("header", "without a header the names are needed: columns = [\"…\", …]")
        }
    }

    private func checkGroups(_ table: ConfigurationTable, _ format: FormatDefinition) {
        if format.recordType == nil {
            for key in ["record", "counts"] where table.members[key] != nil {
                table.wrong(key, "wants record_type: where a record's type stands")
            }
        } else if format.kind == .jsonl {
            table.wrong("record_type", "belongs to csv and fixed, and this is jsonl")
        } else if !format.columns.isEmpty {
            table.wrong("columns", "with record_type they stand in [[source.format.record]]")
        } else if table.members["record"] == nil {
            table.wrong("record_type", "wants a [[source.format.record]] for each type")
        }
    }

    /// What only the decoder knows, such as ranges that are none.
    private func tryOut(_ table: ConfigurationTable, _ format: FormatDefinition) {
        do { _ = try format.decoder() } catch {
            table.wrong(format.recordType == nil ? "columns" : "record", "\(error)")
        }
    }

    private func layout(_ table: ConfigurationTable) -> RecordLayout? {
        defer { table.finish() }
        let type = table.required("type")
        let role = table.text("role").flatMap { RecordLayout.Role(rawValue: $0) } ?? .detail
        var layout = RecordLayout(type: type, role: role, columns: table.texts("columns") ?? [])
        layout.counts = table.pairs("count")
        layout.sums = table.pairs("sum")
        return layout
    }

    private func byte(_ table: ConfigurationTable, _ key: String) -> UInt8? {
        guard let text = table.text(key) else { return nil }
        if text.utf8.count == 1 { return text.utf8.first }
        table.wrong(key, "wants one ASCII character")
        return nil
    }
}
