import Ingest

// The one description of all keys: it decides what is read, what is refused and how, and it writes the commented
// default file.

/// What a key's value may be. Durations are in milliseconds, sizes in bytes, rates per second.
enum KeyKind {
    case text
    case flag
    case number(ClosedRange<Int64>)
    case duration(ClosedRange<Int64>)
    case size(ClosedRange<Int64>)
    case rate(ClosedRange<Int64>)
    case choice([String])
    case texts
    /// An SQL expression.
    case expression
    /// A free table of texts.
    case pairs
    case table
    case tables
}

struct ConfigurationKey {
    /// Without the numbers of lists: `source.event.type`.
    let path: String
    let kind: KeyKind
    /// The default as TOML; empty: there is none.
    let fallback: String
    /// What the default file shows uncommented: for needed keys, and for the example source.
    let example: String
    let words: String
    /// Known, documented, and refused in this version.
    let isLater: Bool

    var name: String { path.split(separator: ".").last.map(String.init) ?? path }
    var parent: String { path.split(separator: ".").dropLast().joined(separator: ".") }

    init(
        _ path: String, _ kind: KeyKind, _ fallback: String = "", _ words: String = "", example: String = "",
        isLater: Bool = false
    ) {
        self.path = path
        self.kind = kind
        self.fallback = fallback
        self.words = words
        self.example = example
        self.isLater = isLater
    }
}

enum ConfigurationKeys {
    static func find(_ path: String) -> ConfigurationKey? { byPath[path] }
    static func children(of table: String) -> [ConfigurationKey] { all.filter { $0.parent == table } }

    private static let byPath = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })

    /// Values of other parts of the program's plan.
    static let laterValues: [String: Set<String>] = [
        "source.kind": ["sql", "mqtt", "amqp", "spool"],
        "source.format.type": ["xml", "x12", "edifact", "idoc"],
    ]

    static let all: [ConfigurationKey] =
        site + mqtt + agent + http + outbox + lanes + commands + inventory + reconcile + later + master + source

    private static let site = [
        ConfigurationKey("site", .table),
        ConfigurationKey(
            "site.tenant", .text, "", "needed: letters, digits, '.', '_' and '-', at most 64", example: "\"acme\""),
        ConfigurationKey("site.site", .text, "", "needed: the same", example: "\"dc-1\""),
        ConfigurationKey("site.time_zone", .text, "\"UTC\"", "of the WMS's local times"),
    ]

    private static let mqtt = [
        ConfigurationKey("mqtt", .table),
        ConfigurationKey(
            "mqtt.brokers", .texts, "", "needed: in order of preference",
            example: "[\"mqtts://mq1.example.com:8883\"]"),
        ConfigurationKey("mqtt.version", .choice(["5", "3.1.1"]), "\"5\"", "or \"3.1.1\""),
        ConfigurationKey("mqtt.username", .text, "", "the password is the file mqtt.password in credentials_dir"),
        ConfigurationKey("mqtt.ca_file", .text, "\"/etc/ssl/certs/ca-certificates.crt\"", ""),
        ConfigurationKey("mqtt.cert_file", .text, "", "the client's certificate, where the broker wants one"),
        ConfigurationKey("mqtt.key_file", .text, "", "its key; default: the credential mqtt.key"),
        ConfigurationKey("mqtt.window", .number(1...500), "100", "messages in flight, 1 to 500"),
        ConfigurationKey("mqtt.batch", .table, "", "while more than `above` events wait; { off = true }: never"),
        ConfigurationKey("mqtt.batch.off", .flag, "false"),
        ConfigurationKey("mqtt.batch.above", .number(1...1_000_000), "1000"),
        ConfigurationKey("mqtt.batch.events", .number(1...100), "100"),
        ConfigurationKey("mqtt.batch.bytes", .size(1_024...16_777_216), "\"96KiB\""),
        ConfigurationKey(
            "mqtt.catch_up_rate", .rate(1...1_000_000), "", "messages, while a backlog drains; unset: no limit"),
        ConfigurationKey("mqtt.no_subscriber", .choice(["hold", "accept"]), "\"hold\"", "or \"accept\""),
        ConfigurationKey(
            "mqtt.max_packet", .size(4_096...67_108_864), "\"256KiB\"", "where the broker names no limit"),
        ConfigurationKey("mqtt.backoff", .table, "", "between attempts to connect"),
        ConfigurationKey("mqtt.backoff.min", .duration(10...3_600_000), "\"500ms\""),
        ConfigurationKey("mqtt.backoff.max", .duration(100...3_600_000), "\"120s\""),
    ]

    private static let agent = [
        ConfigurationKey("agent", .table),
        ConfigurationKey("agent.data_dir", .text, "\"/var/lib/waybill\"", ""),
        ConfigurationKey("agent.control_socket", .text, "\"/run/waybill/control.sock\"", ""),
        ConfigurationKey(
            "agent.credentials_dir", .text, "\"/etc/waybill/credentials\"", "$CREDENTIALS_DIRECTORY wins"),
    ]

    private static let http = [
        ConfigurationKey("http", .table),
        ConfigurationKey(
            "http.listen", .text, "",
            "where the local page, /metrics and /healthz are served, e.g. \"127.0.0.1:8321\"; unset: nowhere"),
    ]

    private static let outbox = [
        ConfigurationKey("outbox", .table),
        ConfigurationKey("outbox.limit", .size(67_108_864...1_099_511_627_776), "\"4GiB\"", "reading stops there"),
        ConfigurationKey(
            "outbox.reserve", .size(0...1_099_511_627_776), "\"200MiB\"",
            "free disk that is never used; reading resumes at 1.5 times"),
        ConfigurationKey("outbox.keep", .duration(0...315_360_000_000), "\"7d\"", "acked events are kept this long"),
        ConfigurationKey(
            "outbox.keep_bytes", .size(0...1_099_511_627_776), "\"1GiB\"", "beyond it acked events go earlier"),
        ConfigurationKey(
            "outbox.wait_receipt", .text, "",
            "a requester: nothing goes before it said that it has it; at the limit reading stops"),
    ]

    private static let commands = [
        ConfigurationKey("commands", .table),
        ConfigurationKey(
            "commands.requesters", .texts, "[]", "who may ask for replays and resyncs, e.g. [\"ingest\"]; empty: nobody"
        ),
        ConfigurationKey(
            "commands.keys", .texts, "[]",
            "Ed25519 public keys in base64; where there are some, commands must be signed"),
    ]

    private static let lanes =
        [ConfigurationKey("lanes", .table)]
        + [("critical", 8), ("standard", 3), ("bulk", 1)].flatMap { name, weight in
            [
                ConfigurationKey("lanes.\(name)", .table, "", name == "critical" ? "shares of one window" : ""),
                ConfigurationKey("lanes.\(name).weight", .number(1...100), "\(weight)"),
                ConfigurationKey("lanes.\(name).max_age", .duration(0...Int64.max), isLater: true),
                ConfigurationKey("lanes.\(name).types", .texts, isLater: true),
            ]
        }

    private static let inventory = [
        ConfigurationKey("inventory", .table),
        ConfigurationKey(
            "inventory.baseline", .choice(["unknown", "zero"]), "\"unknown\"",
            "or \"zero\": the ledger starts with the warehouse"),
        ConfigurationKey(
            "inventory.allocation", .choice(["untracked", "location", "site"]), "\"untracked\"",
            "or \"location\", \"site\""),
        ConfigurationKey("inventory.unused", .texts, "[]", "buckets this WMS does not know, e.g. [\"damaged\"]"),
    ]

    private static let reconcile = [
        ConfigurationKey("reconcile", .table),
        ConfigurationKey(
            "reconcile.at", .text, "", "once a day, e.g. \"02:30\": sources with checks compare once more; unset: never"
        ),
    ]

    private static let later = ["availability"].map {
        ConfigurationKey($0, .table, isLater: true)
    }

    private static let source = sourceFiles + formatKeys(of: "source") + sourceMapping + laterOfSource

    private static let sourceFiles =
        [
            ConfigurationKey("source", .tables),
            ConfigurationKey("source.name", .text, "", "needed", example: "\"moves\""),
            ConfigurationKey(
                "source.kind", .choice(["tail", "drop"]), "\"tail\"",
                "a file that grows; or \"drop\": complete files arrive"),
            ConfigurationKey(
                "source.path", .text, "",
                "needed; may hold *, ? and {yyyyMMdd}; a drop's also {seq} {part} {parts}",
                example: "\"/srv/wms/export/moves.csv\""),
            ConfigurationKey(
                "source.start", .text, "\"beginning\"", "or \"end\", or a day: where a source never read before begins"),
            ConfigurationKey("source.time_zone", .text, "", "default: the site's"),
            ConfigurationKey(
                "source.linger", .duration(0...86_400_000), "\"60s\"",
                "a rotated file is watched this long after it grew"),
            ConfigurationKey(
                "source.flush_after", .duration(100...86_400_000), "",
                "a last line without newline counts when nothing came for so long"),
            ConfigurationKey(
                "source.expect_every", .duration(1_000...31_536_000_000), "",
                "nothing for longer than this, and the source is told as silent, e.g. \"2h\""),
            ConfigurationKey(
                "source.complete", .choice(["settle", "marker", "renamed"]), "\"settle\"",
                "of a drop: when a file is whole; or \"marker\", \"renamed\""),
            ConfigurationKey(
                "source.settle", .duration(100...86_400_000), "\"10s\"",
                "of a drop: size and time stand still for so long"),
            ConfigurationKey(
                "source.marker", .text, "",
                "of a drop: suffix of the file that says it is whole, e.g. \".done\""),
            ConfigurationKey(
                "source.patience", .duration(1_000...604_800_000), "\"10m\"",
                "of a drop: how long an unfinished or missing file is waited for"),
            ConfigurationKey(
                "source.order", .choice(["name", "modified"]), "\"name\"",
                "of a drop: date, number, name; or \"modified\": last change"),
            ConfigurationKey(
                "source.after", .choice(["leave", "archive", "delete"]), "\"leave\"",
                "of a drop: what was read; or \"archive\", \"delete\""),
            ConfigurationKey("source.archive", .text, "", "of a drop: where they go, on the same filesystem"),
            ConfigurationKey(
                "source.failed", .text, "",
                "of a drop: where refused files go, with a reason beside; unset: stay"),
            ConfigurationKey(
                "source.mode", .choice(["changes", "full"]), "\"changes\"",
                "of a drop: or \"full\": all stock each time; what changed is compared"),
            ConfigurationKey(
                "source.missing", .choice(["zero", "unchanged"]), "\"zero\"",
                "of a full export: what is not in it; or \"unchanged\""),
            ConfigurationKey(
                "source.gone_limit", .number(0...100), "20",
                "of a full export: percent of keys; more gone at once: held"
            ),
            ConfigurationKey(
                "source.as_of", .choice(["name", "modified"]), "\"name\"",
                "of a full export: its time; or \"modified\"; older: refused"),
            ConfigurationKey(
                "source.parts", .number(1...999), "1", "of a full export: files that form one, by {part}"
            ),
            ConfigurationKey(
                "source.checks", .text, "",
                "of a full export: the source whose stock it only checks"),
            ConfigurationKey(
                "source.format", .table, "", "others: docs/formats.md",
                example: "{ type = \"csv\", delimiter = \";\", quote = \"\\\"\", header = true, encoding = \"cp1252\" }"
            ),
        ]

    private static let sourceMapping =
        [
            ConfigurationKey(
                "source.lookup", .pairs, "", "tables for lookup('uom', unit): first column key, second value"),
            ConfigurationKey(
                "source.units", .text, "",
                "to base units, by a [[master]] of units or a file: sku,uom,numerator,denominator"
            ),
            ConfigurationKey(
                "source.reasons", .pairs, "", "the WMS's reason codes to canonical ones: { SH = \"sale\" }"),
            ConfigurationKey("source.event", .tables),
            ConfigurationKey("source.event.type", .text, "", "", example: "\"stock.shipped\""),
            ConfigurationKey("source.event.also", .flag, "false", "may apply to a record after another rule did"),
            ConfigurationKey(
                "source.event.reversed_type", .text, "", "of stock.reversed: the type of what is taken back"),
        ]
        + MappingField.allCases.map {
            ConfigurationKey("source.event.\($0.name)", .expression, "", "", example: examples[$0] ?? "")
        }
        + [
            ConfigurationKey("source.ignore", .tables),
            ConfigurationKey("source.ignore.when", .expression, "", "", example: "\"code = 'LOGON'\""),
        ]

    private static let laterOfSource =
        [
            "query", "table", "key", "cursor", "ack", "dedupe", "group", "on_delete", "transition",
            "topic", "dsn",
        ].map { ConfigurationKey("source.\($0)", .text, isLater: true) }

    private static func formatKeys(of table: String) -> [ConfigurationKey] {
        [
            ConfigurationKey("\(table).format.type", .choice(["csv", "fixed", "jsonl"]), "\"csv\""),
            ConfigurationKey("\(table).format.delimiter", .text, "\",\""),
            ConfigurationKey("\(table).format.quote", .text, "\"\\\"\""),
            ConfigurationKey("\(table).format.header", .flag, "true"),
            ConfigurationKey("\(table).format.columns", .texts, ""),
            ConfigurationKey("\(table).format.encoding", .text, "\"utf-8\""),
            ConfigurationKey("\(table).format.length", .number(1...1_048_576)),
            ConfigurationKey("\(table).format.skip_lines", .number(0...1_000), "0"),
            ConfigurationKey("\(table).format.ignore_lines", .texts, "[]"),
            ConfigurationKey("\(table).format.record_type", .text),
            ConfigurationKey("\(table).format.counts", .choice(["reject", "warn", "ignore"]), "\"reject\""),
            ConfigurationKey("\(table).format.record", .tables),
            ConfigurationKey("\(table).format.record.type", .text),
            ConfigurationKey("\(table).format.record.role", .choice(["detail", "header", "trailer"]), "\"detail\""),
            ConfigurationKey("\(table).format.record.columns", .texts),
            ConfigurationKey("\(table).format.record.count", .pairs),
            ConfigurationKey("\(table).format.record.sum", .pairs),
        ]
    }

    private static let master = masterFile + formatKeys(of: "master") + masterRow

    private static let masterFile =
        [
            ConfigurationKey("master", .tables),
            ConfigurationKey(
                "master.name", .text, "", "needed: lookup('base_unit', item) finds it in any source",
                example: "\"base_unit\""),
            ConfigurationKey(
                "master.path", .text, "", "needed; may hold *, ? and {yyyyMMdd}: the last file by name counts",
                example: "\"/srv/wms/export/items_{yyyyMMdd}.csv\""),
            ConfigurationKey(
                "master.format", .table, "", "as of a source",
                example: "{ type = \"csv\", delimiter = \";\", header = true, encoding = \"cp1252\" }"),
        ]

    private static let masterRow =
        [
            ConfigurationKey(
                "master.key", .expression, "", "needed: an SQL expression, as value; NULL leaves a row out",
                example: "\"trim(item)\""),
            ConfigurationKey(
                "master.value", .expression, "", "or of units: unit, numerator, denominator", example: "\"base_unit\""),
        ] + ["unit", "numerator", "denominator"].map { ConfigurationKey("master.\($0)", .expression) }

    private static let examples: [MappingField: String] = [
        .when: "\"code = 'SH'\"", .id: "\"txn_no\"", .sku: "\"trim(item)\"", .quantity: "\"decimal(qty, ',')\"",
        .location: "\"whse || '-' || bin\"", .occurredAt: "\"local_time(date || time, 'yyyyMMddHHmmss')\"",
        .document: "\"order_no\"",
    ]
}
