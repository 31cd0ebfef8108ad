import Contract
import Delivery
import FoundationEssentials
import Ingest
import Inventory
import MQTT
import Outbox
import TOMLKit

/// Walks the tables in the order of the documentation.
struct ConfigurationReader {
    let root: ConfigurationTable
    let directory: String
    let environment: [String: String]

    func read() -> Configuration? {
        let siteTable = root.table("site")
        let named = SiteIdentity(tenant: siteTable.required("tenant"), site: siteTable.required("site"))
        if named == nil, siteTable.members["tenant"] != nil, siteTable.members["site"] != nil {
            siteTable.wrong("site", "tenant and site want letters, digits, '.', '_' and '-', at most 64")
        }
        // What else is wrong is told too; a problem is told already, so that nothing runs under it.
        guard let site = named ?? SiteIdentity(tenant: "unnamed", site: "unnamed") else { return nil }
        let timeZone = zone(siteTable) ?? "UTC"
        siteTable.finish()
        let rules = inventory(root.table("inventory"))
        let agent = root.table("agent")
        let dataDirectory = resolve(agent.text("data_dir") ?? "/var/lib/waybill")
        let credentials = resolve(agent.text("credentials_dir") ?? "/etc/waybill/credentials")
        let controlSocket = resolve(agent.text("control_socket") ?? "/run/waybill/control.sock")
        agent.finish()
        let page = page(root.table("http"))
        let sourceTables = root.tables("source")
        let masters = masters(root.tables("master"))
        let sources = sourceTables.map { source($0, masters, timeZone: timeZone, scratch: dataDirectory) }
        if sources.isEmpty { root.problems.add(root.place, "at least one [[source]] is needed") }
        let lanes = weights(root.table("lanes"))
        reportTwins(sourceTables, sources)
        reportChecks(sourceTables, sources)
        let reconcile = reconcile(root.table("reconcile"))
        var outbox = OutboxOptions(
            directory: dataDirectory, site: site, rules: rules, programVersion: WaybillVersion.text)
        var delivery = DeliverySettings(site: site, agentVersion: WaybillVersion.text, timeZone: timeZone)
        delivery.commands = commands(root.table("commands"))
        limits(root.table("outbox"), requesters: delivery.commands.requesters, &outbox)
        delivery.waitReceipt = outbox.waitReceipt
        delivery.weights.merge(lanes) { $1 }
        var unreadable: [String] = []
        let mqtt = self.mqtt(
            root.table("mqtt"), site: site,
            credentials: Credentials(directory: credentials, environment: environment), &delivery, &unreadable)
        root.finish()
        return Configuration(
            site: site, timeZone: timeZone, mqtt: mqtt, delivery: delivery, outbox: outbox, inventory: rules,
            sources: sources, reconcileAt: reconcile, controlSocket: controlSocket, page: page,
            unreadableCredentials: unreadable)
    }

    private func page(_ table: ConfigurationTable) -> PageAddress? {
        defer { table.finish() }
        guard let text = table.text("listen") else { return nil }
        let address = PageAddress(text)
        if address == nil { table.wrong("listen", "wants an address and a port such as 127.0.0.1:8321") }
        return address
    }

    private func reconcile(_ table: ConfigurationTable) -> Int64? {
        defer { table.finish() }
        guard let text = table.text("at") else { return nil }
        let minute = ReconcileSchedule.minute(text)
        if minute == nil { table.wrong("at", "wants a time of the day such as 02:30") }
        return minute
    }

    private func reportChecks(_ tables: [ConfigurationTable], _ sources: [SourceDefinition]) {
        for (table, source) in zip(tables, sources) {
            guard let checks = source.drop?.full?.checks else { continue }
            let found = sources.first { $0.name == checks }
            if found == nil || found?.drop?.full != nil {
                table.wrong("checks", "\"\(checks)\" is no source that reports changes")
            }
        }
    }

    private func reportTwins(_ tables: [ConfigurationTable], _ sources: [SourceDefinition]) {
        for (index, source) in sources.enumerated() {
            guard let first = sources[..<index].firstIndex(where: { $0.name == source.name }) else { continue }
            tables[index].wrong(
                "name",
                "source \"\(source.name)\" is there twice; the first is at \(tables[first].place(of: "name").words)")
        }
    }

    private func zone(_ table: ConfigurationTable) -> String? {
        guard let name = table.text("time_zone") else { return nil }
        if let problem = TimeZones.problem(with: name) { table.wrong("time_zone", problem) }
        return name
    }

    func resolve(_ path: String) -> String { path.hasPrefix("/") ? path : "\(directory)/\(path)" }

    private func inventory(_ table: ConfigurationTable) -> InventoryRules {
        var rules = InventoryRules()
        rules.baselineZero = table.text("baseline") == "zero"
        rules.allocation =
            table.text("allocation").flatMap { InventoryRules.Allocation(rawValue: $0) } ?? .untracked
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
            weights[lane] = inner.measure("weight").map { Int($0) }
            inner.finish()
        }
        table.finish()
        return weights
    }

    private func commands(_ table: ConfigurationTable) -> CommandSettings {
        var commands = CommandSettings()
        commands.requesters = Set(table.texts("requesters") ?? [])
        for name in commands.requesters.sorted() where !SiteIdentity.isName(name) {
            table.wrong("requesters", "\"\(name)\" wants letters, digits, '.', '_' and '-', at most 64")
        }
        commands.keys = table.texts("keys") ?? []
        for key in commands.keys where VerificationKey(key) == nil {
            table.wrong("keys", "\"\(key)\" is no base64 of the 32 bytes of an Ed25519 public key")
        }
        table.finish()
        return commands
    }

    private func limits(_ table: ConfigurationTable, requesters: Set<String>, _ outbox: inout OutboxOptions) {
        if let name = table.text("wait_receipt"), !name.isEmpty {
            outbox.waitReceipt = name
            if !requesters.contains(name) {
                table.wrong("wait_receipt", "\"\(name)\" is none of commands.requesters, so no receipt would come")
            }
        }
        outbox.limitBytes = table.measure("limit") ?? outbox.limitBytes
        outbox.reserveBytes = table.measure("reserve") ?? outbox.reserveBytes
        outbox.keepBytes = table.measure("keep_bytes") ?? outbox.keepBytes
        outbox.keepMilliseconds = table.measure("keep") ?? outbox.keepMilliseconds
        table.finish()
    }

    private func mqtt(
        _ table: ConfigurationTable, site: SiteIdentity, credentials: Credentials, _ delivery: inout DeliverySettings,
        _ unreadable: inout [String]
    ) -> MQTTOptions {
        let names = table.texts("brokers") ?? []
        let brokers = names.compactMap { name in
            let address = BrokerAddress(name)
            if address == nil {
                table.wrong("brokers", "each wants the form mqtts://host:8883, without user or password")
            }
            return address
        }
        if names.isEmpty { table.problems.add(table.place, "mqtt.brokers is missing") }
        var options = MQTTOptions(brokers: brokers, clientID: "waybill-\(site.tenant)-\(site.site)")
        options.version = table.text("version").flatMap { MQTTOptions.Version(rawValue: $0) } ?? .v5
        options.username = table.text("username")
        switch credentials.text("mqtt.password") {
        case .absent: break
        case .text(let text): options.password = text
        case .unreadable(let why): unreadable.append(why)
        }
        if let file = table.text("ca_file") { options.caFile = resolve(file) }
        options.certificateFile = table.text("cert_file").map(resolve)
        let isKeyNamed = table.text("key_file") != nil
        options.keyFile = table.text("key_file").map(resolve)
        if options.certificateFile != nil, !isKeyNamed {
            options.keyFile = credentials.path("mqtt.key")
            if options.keyFile == nil {
                table.wrong("cert_file", "wants its key: name it in key_file, or put it into the credential mqtt.key")
            }
        }
        options.window = table.measure("window").map { Int($0) } ?? options.window
        options.maxPacketBytes = table.measure("max_packet").map { Int($0) } ?? options.maxPacketBytes
        delivery.noSubscriber =
            table.text("no_subscriber").flatMap { ReasonPolicy.NoSubscriber(rawValue: $0) } ?? .hold
        delivery.catchUpRate = table.measure("catch_up_rate").map(Double.init)
        batches(table.table("batch"), &delivery.batches)
        let backoff = table.table("backoff")
        options.backoffMin = backoff.measure("min") ?? options.backoffMin
        options.backoffMax = backoff.measure("max") ?? options.backoffMax
        if options.backoffMin > options.backoffMax { backoff.wrong("min", "is more than max") }
        backoff.finish()
        table.finish()
        return options
    }

    private func batches(_ table: ConfigurationTable, _ batches: inout DeliverySettings.Batches) {
        if table.flag("off") == true {
            batches.above = nil
        } else {
            batches.above = table.measure("above") ?? batches.above
        }
        batches.events = table.measure("events").map { Int($0) } ?? batches.events
        batches.bytes = table.measure("bytes").map { Int($0) } ?? batches.bytes
        table.finish()
    }

    private func source(
        _ table: ConfigurationTable, _ masters: [MasterDefinition], timeZone: String, scratch: String
    ) -> SourceDefinition {
        let name = table.required("name")
        if !SiteIdentity.isName(name) { table.wrong("name", "wants letters, digits, '.', '_' and '-', at most 64") }
        let path = resolve(table.required("path"))
        if table.text("kind") != "drop", let problem = FilePattern.problem(in: path) { table.wrong("path", problem) }
        let format = self.format(table.table("format"))
        let rules = table.tables("event").map(rule)
        if rules.isEmpty { table.problems.add(table.place, "at least one [[source.event]] is needed") }
        let ignores = table.tables("ignore").compactMap { ignore in
            let expression = ignore.expression("when")
            ignore.finish()
            return expression
        }
        var mapping = MappingDefinition(
            rules: rules, ignores: ignores, lookups: table.pairs("lookup").mapValues(resolve), reasons: reasons(table))
        useMasters(masters, table, &mapping)
        var definition = SourceDefinition(
            name: name, path: path, format: format, mapping: mapping, timeZone: zone(table) ?? timeZone)
        definition.scratchDirectory = scratch
        definition.drop = drop(table, definition)
        start(table, &definition)
        definition.linger = table.measure("linger") ?? definition.linger
        definition.flushAfter = table.measure("flush_after")
        definition.expectEvery = table.measure("expect_every")
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
