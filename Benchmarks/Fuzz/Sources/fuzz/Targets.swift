import Ingest

/// One decoder; an input's first byte chooses among its formats, the rest is a file.
struct Target: Sendable {
    let name: String
    let run: @Sendable ([UInt8]) -> Void

    static let all = [
        Target("csv", csv), Target("fixed", fixed), Target("jsonl", jsonl), Target("groups", groups),
        Target(name: "text", run: TextCheck.run),
    ]

    /// The one that the command line names.
    static let chosen = all.first { CommandLine.arguments.dropFirst().first == $0.name }

    private init(name: String, run: @escaping @Sendable ([UInt8]) -> Void) {
        self.name = name
        self.run = run
    }

    private init(_ name: String, _ formats: [FormatDefinition]) {
        self.init(name: name) { bytes in
            guard let choice = bytes.first else { return }
            DecoderCheck(format: formats[Int(choice) % formats.count]).run(Array(bytes.dropFirst()))
        }
    }

    // MARK: formats

    private static func format(
        _ kind: FormatDefinition.Kind, _ columns: [String], _ encoding: String = "utf-8",
        _ change: (inout FormatDefinition) -> Void = { _ in }
    ) -> FormatDefinition {
        var format = FormatDefinition()
        format.kind = kind
        format.encoding = encoding
        format.columns = columns
        format.hasHeader = columns.isEmpty
        change(&format)
        return format
    }

    private static let csv = [
        format(.csv, []), format(.csv, [], "cp1252") { $0.delimiter = UInt8(ascii: ";") }, format(.csv, ["a", "b"]),
        format(.csv, [], "utf-16le"), format(.csv, [], "utf-16be"), format(.csv, ["a", "b", "c"], "cp037"),
    ]

    private static let fixed = [
        format(.fixed, ["a 1-3", "b 4-8 zoned 2", "c 7-12"]), format(.fixed, ["a 1-2", "b 3-9 zoned"], "cp037"),
        format(.fixed, ["a 1-2", "b 3-6 packed 2", "c 7-8"], "cp500") { $0.length = 8 },
        format(.fixed, ["a 1-4", "b 5-8"], "utf-16le"),
        format(.fixed, ["a 1", "b 2-4 packed 5"], "cp850") { $0.length = 4 },
    ]

    private static let jsonl = [
        format(.jsonl, ["a", "b.c", "d.0.e", "d"]), format(.jsonl, ["a"], "cp1252"),
        format(.jsonl, ["a.b"], "utf-16be"),
    ]

    private static let groups = [grouped, warning, positioned]

    private static let grouped = format(.csv, []) {
        $0.hasHeader = false
        $0.recordType = "1"
        var end = RecordLayout(type: "T", role: .trailer, columns: ["k", "n", "s"])
        end.counts = ["n": "*"]
        end.sums = ["s": "q"]
        $0.layouts = [
            RecordLayout(type: "F", role: .header, columns: ["k", "f"]),
            RecordLayout(type: "H", role: .header, columns: ["k", "h", "f"]),
            RecordLayout(type: "D", role: .detail, columns: ["k", "q"]), end,
        ]
    }

    private static let warning: FormatDefinition = {
        var warning = grouped
        warning.counts = .warn
        warning.encoding = "cp037"
        warning.layouts[0].type = "1"
        warning.layouts[1].type = "2"
        warning.layouts[2].type = "3"
        warning.layouts[3].type = "4"
        return warning
    }()

    private static let positioned = format(.fixed, [], "cp037") {
        $0.length = 6
        $0.recordType = "1"
        var end = RecordLayout(type: "9", role: .trailer, columns: ["n 2-3 packed", "s 4-6 packed 2"])
        end.counts = ["n": "+"]
        end.sums = ["s": "q"]
        $0.layouts = [
            RecordLayout(type: "1", role: .header, columns: ["h 2-6"]),
            RecordLayout(type: "5", role: .detail, columns: ["d 2", "q 3-6 packed 2"]), end,
        ]
    }
}
