import Delivery
import FoundationEssentials
import Ingest
import Inventory
import MQTT
import Outbox
import TOMLKit

extension Configuration {
    /// Reads and validates a file. Throws `ConfigurationError` with everything that is wrong, not only the first.
    package static func load(path: String, environment: [String: String]) throws -> Configuration {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ConfigurationError(problems: ["\(path): cannot be read; check the path and its rights"])
        }
        let directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        return try parse(
            String(decoding: data, as: UTF8.self), file: path, directory: directory.isEmpty ? "." : directory,
            environment: environment)
    }

    package static func parse(
        _ text: String, file: String, directory: String, environment: [String: String]
    ) throws -> Configuration {
        let table: TOMLTable
        do { table = try TOMLTable(string: text) } catch let error as TOMLParseError {
            let place = error.source.begin
            throw ConfigurationError(problems: ["\(file):\(place.line):\(place.column): \(error.description)"])
        }
        let problems = ConfigurationTable.Problems(file: file, positions: KeyPositions(text))
        let reader = ConfigurationReader(
            root: ConfigurationTable(table, path: "", problems: problems), directory: directory,
            environment: environment)
        let configuration = reader.read()
        let list = problems.sorted
        guard list.isEmpty, let configuration else { throw ConfigurationError(problems: list) }
        return configuration
    }
}

/// Walks the tables in the order of the documentation.
struct ConfigurationReader {
    let root: ConfigurationTable
    let directory: String
    let environment: [String: String]

    func read() -> Configuration? {
        let siteTable = root.table("site")
        let site = SiteIdentity(tenant: siteTable.required("tenant"), site: siteTable.required("site"))
        if site == nil { siteTable.wrong("site", "tenant and site want letters, digits, '.', '_' and '-', at most 64") }
        let timeZone = siteTable.text("time_zone") ?? "UTC"
        siteTable.finish()
        let rules = inventory(root.table("inventory"))
        let agent = root.table("agent")
        let dataDirectory = resolve(agent.text("data_dir") ?? "/var/lib/waybill")
        let credentials = resolve(agent.text("credentials_dir") ?? "/etc/waybill/credentials")
        let controlSocket = resolve(agent.text("control_socket") ?? "/run/waybill/control.sock")
        agent.finish()
        let sources = root.tables("source").map { source($0, timeZone: timeZone, scratch: dataDirectory) }
        if sources.isEmpty { root.problems.add("", "at least one [[source]] is needed") }
        let lanes = weights(root.table("lanes"))
        reportTwins(sources)
        guard let site else { return nil }
        var outbox = OutboxOptions(
            directory: dataDirectory, site: site, rules: rules, programVersion: WaybillVersion.text)
        limits(root.table("outbox"), &outbox)
        var delivery = DeliverySettings(site: site, agentVersion: WaybillVersion.text, timeZone: timeZone)
        delivery.weights.merge(lanes) { $1 }
        let mqtt = self.mqtt(root.table("mqtt"), site: site, credentials: credentials, &delivery)
        root.finish()
        return Configuration(
            site: site, timeZone: timeZone, mqtt: mqtt, delivery: delivery, outbox: outbox, inventory: rules,
            sources: sources, controlSocket: controlSocket)
    }

    private func reportTwins(_ sources: [SourceDefinition]) {
        for (index, source) in sources.enumerated() where sources[..<index].contains(where: { $0.name == source.name })
        {
            root.problems.add("source.\(index).name", "source \"\(source.name)\" is there twice")
        }
    }

    private func resolve(_ path: String) -> String { path.hasPrefix("/") ? path : "\(directory)/\(path)" }

    private func inventory(_ table: ConfigurationTable) -> InventoryRules {
        enum Baseline: String { case unknown, zero }
        var rules = InventoryRules()
        rules.baselineZero = table.choice("baseline", Baseline.self, "unknown, zero") == .zero
        rules.allocation =
            table.choice("allocation", InventoryRules.Allocation.self, "untracked, location, site") ?? .untracked
        for name in table.texts("unused") ?? [] {
            if let bucket = Bucket(name: name) {
                rules.unused.insert(bucket)
            } else {
                table.wrong("unused", "\"\(name)\" is no bucket")
            }
        }
        table.finish()
        return rules
    }

    private func weights(_ table: ConfigurationTable) -> [Lane: Int] {
        var weights: [Lane: Int] = [:]
        for lane in Lane.allCases {
            let inner = table.table(lane.name)
            weights[lane] = inner.number("weight", in: 1...100)
            inner.finish()
        }
        table.finish()
        return weights
    }

    private func limits(_ table: ConfigurationTable, _ outbox: inout OutboxOptions) {
        outbox.limitBytes = table.measure("limit", units: ConfigurationTable.sizes) ?? outbox.limitBytes
        outbox.reserveBytes = table.measure("reserve", units: ConfigurationTable.sizes) ?? outbox.reserveBytes
        outbox.keepBytes = table.measure("keep_bytes", units: ConfigurationTable.sizes) ?? outbox.keepBytes
        outbox.keepMilliseconds = table.measure("keep", units: ConfigurationTable.durations) ?? outbox.keepMilliseconds
        table.finish()
    }

    private func mqtt(
        _ table: ConfigurationTable, site: SiteIdentity, credentials: String, _ delivery: inout DeliverySettings
    ) -> MQTTOptions {
        let names = table.texts("brokers") ?? []
        let brokers = names.compactMap { name in
            let address = BrokerAddress(name)
            if address == nil {
                table.wrong("brokers", "each wants the form mqtts://host:8883, without user or password")
            }
            return address
        }
        if names.isEmpty { table.problems.add("mqtt", "mqtt.brokers is missing") }
        var options = MQTTOptions(brokers: brokers, clientID: "waybill-\(site.tenant)-\(site.site)")
        options.version = table.choice("version", MQTTOptions.Version.self, "\"5\", \"3.1.1\"") ?? .v5
        options.username = table.text("username")
        options.password = Credentials.read("mqtt.password", directory: credentials, environment: environment)
        if let file = table.text("ca_file") { options.caFile = resolve(file) }
        options.certificateFile = table.text("cert_file").map(resolve)
        options.keyFile = table.text("key_file").map(resolve)
        options.window = table.number("window", in: 1...500) ?? options.window
        options.maxPacketBytes =
            table.measure("max_packet", units: ConfigurationTable.sizes).map { Int($0) } ?? options.maxPacketBytes
        delivery.noSubscriber = table.choice("no_subscriber", ReasonPolicy.NoSubscriber.self, "hold, accept") ?? .hold
        let rate = table.measure("catch_up_rate", units: ["/s": 1])
        if rate == 0 { table.wrong("catch_up_rate", "0 would never drain a backlog; leave it out for no limit") }
        delivery.catchUpRate = rate.map(Double.init)
        batches(table.table("batch"), &delivery.batches)
        let backoff = table.table("backoff")
        options.backoffMin = backoff.measure("min", units: ConfigurationTable.durations) ?? options.backoffMin
        options.backoffMax = backoff.measure("max", units: ConfigurationTable.durations) ?? options.backoffMax
        backoff.finish()
        table.finish()
        return options
    }

    private func batches(_ table: ConfigurationTable, _ batches: inout DeliverySettings.Batches) {
        if table.flag("off") == true {
            batches.above = nil
        } else {
            batches.above = table.number("above", in: 1...1_000_000).map(Int64.init) ?? batches.above
        }
        batches.events = table.number("events", in: 1...100) ?? batches.events
        batches.bytes = table.measure("bytes", units: ConfigurationTable.sizes).map { Int($0) } ?? batches.bytes
        table.finish()
    }

    private func source(_ table: ConfigurationTable, timeZone: String, scratch: String) -> SourceDefinition {
        let name = table.required("name")
        if !SiteIdentity.isName(name) { table.wrong("name", "wants letters, digits, '.', '_' and '-', at most 64") }
        if let kind = table.text("kind"), kind != "tail" {
            table.wrong("kind", "\"\(kind)\" is not available in this version")
        }
        let path = resolve(table.required("path"))
        if let problem = FilePattern.problem(in: path) { table.wrong("path", problem) }
        let format = self.format(table.table("format"))
        let rules = table.tables("event").map(rule)
        if rules.isEmpty { table.problems.add(table.path, "\(table.path): at least one [[source.event]] is needed") }
        let ignores = table.tables("ignore").compactMap { ignore in
            let expression = ignore.expression("when")
            ignore.finish()
            return expression
        }
        let mapping = MappingDefinition(
            rules: rules, ignores: ignores, lookups: table.pairs("lookup").mapValues(resolve), reasons: reasons(table))
        var definition = SourceDefinition(
            name: name, path: path, format: format, mapping: mapping, timeZone: table.text("time_zone") ?? timeZone)
        definition.scratchDirectory = scratch
        start(table, &definition)
        definition.linger = table.measure("linger", units: ConfigurationTable.durations) ?? definition.linger
        definition.flushAfter = table.measure("flush_after", units: ConfigurationTable.durations)
        table.finish()
        return definition
    }

    private func start(_ table: ConfigurationTable, _ definition: inout SourceDefinition) {
        switch table.text("start") {
        case nil, "beginning": break
        case "end": definition.startsAtEnd = true
        case .some(let day):
            definition.startsAt = Timestamp(rfc3339: "\(day)T00:00:00Z")
            if definition.startsAt == nil { table.wrong("start", "wants beginning, end or a day such as 2026-11-01") }
        }
    }

    private func reasons(_ table: ConfigurationTable) -> [String: String] {
        let reasons = table.pairs("reasons")
        for (own, code) in reasons where !Reason.codes.contains(code) {
            table.wrong(
                "reasons", "\"\(code)\" (for \(own)) is none of \(Reason.codes.sorted().joined(separator: ", "))")
        }
        return reasons
    }

    private func format(_ table: ConfigurationTable) -> FormatDefinition {
        var format = FormatDefinition()
        if let type = table.text("type"), type != "csv" {
            table.wrong("type", "\"\(type)\" is not available in this version")
        }
        format.delimiter = byte(table, "delimiter") ?? format.delimiter
        format.quote = byte(table, "quote") ?? format.quote
        format.hasHeader = table.flag("header") ?? true
        format.columns = table.texts("columns") ?? []
        format.encoding = table.text("encoding") ?? format.encoding
        if !TextDecoder.encodings.contains(format.encoding) {
            table.wrong(
                "encoding", "\"\(format.encoding)\" is none of \(TextDecoder.encodings.joined(separator: ", "))")
        }
        table.finish()
        return format
    }

    private func byte(_ table: ConfigurationTable, _ key: String) -> UInt8? {
        guard let text = table.text(key) else { return nil }
        if text.utf8.count == 1 { return text.utf8.first }
        table.wrong(key, "wants one ASCII character")
        return nil
    }

    private func rule(_ table: ConfigurationTable) -> EventRule {
        let name = table.required("type")
        let type = EventType(rawValue: name)
        if type == nil { table.wrong("type", "\"\(name)\" is no event type") }
        var expressions: [MappingField: Ingest.Expression] = [:]
        for field in MappingField.allCases { expressions[field] = table.expression(field.name) }
        let reversed = table.text("reversed_type")
        if let reversed, EventType(rawValue: reversed) == nil {
            table.wrong("reversed_type", "\"\(reversed)\" is no event type")
        }
        if type == .reversed, reversed == nil {
            table.wrong("type", "stock.reversed wants reversed_type: the type of what is taken back")
        }
        let rule = EventRule(
            type: type ?? .adjusted, also: table.flag("also") ?? false, expressions: expressions,
            reversedType: reversed.flatMap { EventType(rawValue: $0) })
        table.finish()
        return rule
    }
}

/// Secrets are files: `$CREDENTIALS_DIRECTORY/secret_NAME`, else `NAME` in the credentials directory.
enum Credentials {
    static func read(_ name: String, directory: String, environment: [String: String]) -> String? {
        let paths = [environment["CREDENTIALS_DIRECTORY"].map { "\($0)/secret_\(name)" }, "\(directory)/\(name)"]
        for path in paths.compactMap(\.self) {
            guard let data = FileManager.default.contents(atPath: path) else { continue }
            let text = String(decoding: data, as: UTF8.self)
            return text.hasSuffix("\n") ? String(text.dropLast()) : text
        }
        return nil
    }
}
