import FoundationEssentials
import Ingest
import Inventory

/// A proposal as a piece of agent.conf: what is sure stands there, what is not says TODO.
package struct DraftText {
    private let sketch: SampleSketch
    private let proposal: Proposal
    private let path: String
    private var lines: [String] = []

    /// `asWhole`: with the tables that a configuration needs beside its source. Throws `IngestError` for what cannot be
    /// drafted.
    package init(file: String, asWhole: Bool) throws {
        let directory = FileManager.default.currentDirectoryPath
        self.init(
            try SampleSketch(Sample(path: file)), path: file.hasPrefix("/") ? file : "\(directory)/\(file)",
            asWhole: asWhole)
    }

    /// `path`: the sample's, absolute.
    init(_ sketch: SampleSketch, path: String, asWhole: Bool) {
        self.sketch = sketch
        proposal = Proposal(sketch)
        self.path = path
        write(asWhole)
    }

    package var text: String { lines.joined(separator: "\n") }

    private mutating func write(_ asWhole: Bool) {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        note("A draft from the first \(sketch.records) records of \(name). TODO marks what a person has to decide.")
        if asWhole { writeSite() }
        lines += ["", "[[source]]"]
        let file = FileNamePattern(name, isStock: proposal.isStock)
        key("name", Self.quoted(file.stem))
        key("kind", file.isDrop ? "\"drop\"" : "\"tail\"", file.isDrop ? "complete files" : "a file that grows")
        let directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        key("path", Self.quoted("\(directory)/\(file.pattern)"), "TODO: where the WMS writes it")
        if proposal.isStock { key("mode", "\"full\"", "what is missing counts as zero") }
        for text in sketch.notes { note(text) }
        writeFormat()
        writeColumns()
        for todo in proposal.todos { note("TODO: \(todo)") }
        if !proposal.rules.contains(where: \.isReady) {
            note("TODO: no rule below can work yet, and a source needs one")
        }
        for rule in proposal.rules { write(rule) }
        if !proposal.isStock {
            lines.append("")
            note("Records that are knowingly no inventory; all others that fit no rule are rejected.")
            lines += ["# [[source.ignore]]", "# when = \"\""]
        }
    }

    private mutating func writeSite() {
        lines += ["", "[site]"]
        key("tenant", "\"acme\"", "TODO")
        key("site", "\"dc-1\"", "TODO")
        key("time_zone", "\"UTC\"", "TODO: of the WMS's local times, such as Europe/Berlin")
        lines += ["", "[mqtt]"]
        key("brokers", "[\"mqtts://mq1.example.com:8883\"]", "TODO")
    }

    // MARK: the format

    private mutating func writeFormat() {
        let format = sketch.format
        var pairs = [("type", Self.quoted(format.kind.rawValue))]
        if format.kind == .csv {
            pairs.append(("delimiter", Self.quoted(String(UnicodeScalar(format.delimiter)))))
            pairs.append(("header", "\(format.hasHeader)"))
        }
        if let length = format.length { pairs.append(("length", "\(length)")) }
        pairs.append(("encoding", Self.quoted(format.encoding)))
        if format.skippedLines > 0 { pairs.append(("skip_lines", "\(format.skippedLines)")) }
        if !format.ignoredLines.isEmpty { pairs.append(("ignore_lines", Self.list(format.ignoredLines))) }
        if let type = format.recordType { pairs.append(("record_type", Self.quoted(type))) }
        if format.columns.isEmpty, format.layouts.isEmpty {
            return key("format", "{ \(pairs.map { "\($0) = \($1)" }.joined(separator: ", ")) }")
        }
        lines += ["", "[source.format]"]
        for (name, value) in pairs { key(name, value) }
        if !format.columns.isEmpty { key("columns", Self.list(format.columns)) }
        for layout in format.layouts {
            lines += ["", "[[source.format.record]]"]
            key("type", Self.quoted(layout.type))
            key("role", "\"\(layout.role.rawValue)\"")
            key("columns", Self.list(layout.columns))
            for (column, type) in layout.counts { key("count", "{ \(column) = \(Self.quoted(type)) }") }
        }
    }

    private mutating func writeColumns() {
        lines.append("")
        note("What its columns hold:")
        for use in proposal.uses {
            let column = use.column
            let example = column.example.isEmpty ? "" : ", e.g. \(String(column.example.prefix(30)))"
            var meaning = "not used"
            if let role = use.role {
                let words = "\(role.rawValue), \(use.sureness.words)"
                let other = role == .text ? "it says nothing of stock" : "it may be \(role.rawValue)"
                meaning = use.isUsed ? words : "not used: \(other)"
            }
            note("  \(column.name): \(column.words)\(example): \(meaning)")
        }
    }

    // MARK: rules

    private mutating func write(_ rule: Proposal.Rule) {
        lines.append("")
        note(rule.note)
        var written = lines
        lines = []
        lines.append("[[source.event]]")
        let isGuess = rule.when != nil
        key("type", "\"\(rule.type.rawValue)\"", isGuess ? "TODO: a guess by the code" : nil)
        if let when = rule.when { key("when", Self.quoted(when)) }
        for field in rule.fields { key(field.field.name, Self.quoted(field.sql), field.todo.map { "TODO: \($0)" }) }
        written += rule.isReady ? lines : lines.map { "# " + $0 }
        lines = written
    }

    // MARK: text

    private mutating func key(_ name: String, _ value: String, _ comment: String? = nil) {
        lines.append("\(name) = \(value)" + (comment.map { "    # \(Self.plain($0))" } ?? ""))
    }

    private mutating func note(_ text: String) { lines.append("# \(Self.plain(text))") }

    /// Without what would end a comment, or a terminal would obey.
    private static func plain(_ text: String) -> String {
        var plain = ""
        for scalar in text.unicodeScalars {
            plain.unicodeScalars.append(scalar.value < 0x20 || scalar.isTreacherous ? "\u{FFFD}" : scalar)
        }
        return plain
    }

    private static func list(_ texts: [String]) -> String {
        let whole = "[\(texts.map(quoted).joined(separator: ", "))]"
        return whole.utf8.count <= 100 ? whole : "[\n" + texts.map { "    \(quoted($0)),\n" }.joined() + "]"
    }

    /// A basic string of TOML.
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20 || scalar.isTreacherous:
                let hex = String(scalar.value, radix: 16)
                quoted += "\\U" + String(repeating: "0", count: 8 - hex.count) + hex
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

/// What the name of a sample says of those that will come.
private struct FileNamePattern {
    /// For the source.
    var stem = "source"
    var pattern = ""
    /// A second in the name: nothing is appended to such a file.
    var isDrop: Bool

    init(_ file: String, isStock: Bool) {
        var name = file
        for suffix in [".gz", ".zip"] where name.lowercased().hasSuffix(suffix) { name.removeLast(suffix.count) }
        let dates = name.split { !("0"..."9").contains($0) }.filter(Self.isDate)
        isDrop = isStock || dates.contains { $0.utf8.count == 14 }
        var digits = Substring()
        for character in name + "\0" {
            if ("0"..."9").contains(character) {
                digits.append(character)
                continue
            }
            if Self.isDate(digits) {
                pattern += digits.utf8.count == 14 ? "{yyyyMMddHHmmss}" : "{yyyyMMdd}"
            } else if digits.utf8.count > 2, isDrop || !dates.isEmpty {
                pattern += isDrop ? "{seq}" : "*"
            } else {
                pattern += digits
            }
            digits = ""
            if character != "\0" { pattern.append("*?{}".contains(character) ? "?" : character) }
        }
        let plain = pattern.split(separator: "{").first?.split(separator: ".").first ?? ""
        let words = plain.split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
        if !words.isEmpty { stem = words.joined(separator: "-").lowercased() }
    }

    private static func isDate(_ digits: Substring) -> Bool {
        [8, 14].contains(digits.utf8.count) && (digits.hasPrefix("19") || digits.hasPrefix("20"))
    }
}
