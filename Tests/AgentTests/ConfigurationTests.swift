import Agent
import Foundation
import Ingest
import Inventory
import MQTT
import Testing

struct ConfigurationTests {
    let minimal = """
        [site]
        tenant = "acme"
        site = "dc-7"
        [mqtt]
        brokers = ["mqtts://mq1.example.com"]
        [[source]]
        name = "moves"
        path = "moves.csv"
        [[source.event]]
        type = "stock.received"
        sku = "item"
        """

    func problems(_ text: String) -> [String] {
        do {
            _ = try Configuration.parse(text, file: "agent.conf", directory: "/etc/waybill", environment: [:])
            return []
        } catch let error as ConfigurationError { return error.problems } catch { return ["\(error)"] }
    }

    @Test func `site, brokers and one source are enough`() throws {
        let configuration = try Configuration.parse(
            minimal, file: "agent.conf", directory: "/etc/waybill", environment: [:])
        #expect(configuration.sources[0].path == "/etc/waybill/moves.csv")
        #expect(configuration.mqtt.clientID == "waybill-acme-dc-7")
        #expect(configuration.mqtt.brokers[0].port == 8883)
    }

    @Test func `a typo is named with line, column and the nearest key`() {
        let text = minimal.replacing("brokers =", with: "window = 50\n  brokerss =")
        #expect(
            problems(text).contains(
                "agent.conf:6:3: mqtt.brokerss: is no key of this version; did you mean \"brokers\"?"))
    }

    @Test func `a password in the file is refused with a hint`() {
        let text = minimal.replacing("[[source]]", with: "password = \"x\"\n[[source]]")
        #expect(problems(text).contains { $0.contains("credentials directory") && !$0.contains("\"x\"") })
    }

    @Test func `a broken site name brings up no false errors elsewhere`() {
        for name in ["dc/7", ""] { #expect(problems(minimal.replacing("dc-7", with: name)).count == 1) }
    }

    @Test(arguments: ["keep = \"7 days\"", "keep = 7", "limit = \"99999999999999GiB\"", "limit = \"1MiB\""])
    func `a value without a known unit is refused`(line: String) {
        #expect(problems(minimal.replacing("[mqtt]", with: "[outbox]\n\(line)\n[mqtt]")).count == 1)
    }

    @Test(arguments: ["[availability]\nsafety_stock = 5", "[lanes.critical]\nmax_age = \"60s\""])
    func `a key of a later version is refused as such, never ignored`(lines: String) {
        let found = problems(minimal.replacing("[mqtt]", with: "\(lines)\n[mqtt]"))
        #expect(found.count == 1 && found[0].contains("is not available in this version"))
    }

    @Test(arguments: [
        ("[commands]\nrequesters = [\"a/b\"]", "requesters"), ("[commands]\nkeys = [\"c2hvcnQ=\"]", "Ed25519"),
        ("[outbox]\nwait_receipt = \"ingest\"", "no receipt would come"),
    ])
    func `commands that could not be carried out are refused`(lines: String, words: String) {
        let found = problems(minimal.replacing("[mqtt]", with: "\(lines)\n[mqtt]"))
        #expect(found.count == 1 && found[0].contains(words), "\(found)")
    }

    @Test func `two sources of one name are refused`() {
        let second =
            "\n[[source]]\nname = \"moves\"\npath = \"b\"\n[[source.event]]\ntype = \"stock.moved\"\nsku = \"i\"\n"
        #expect(problems(minimal + second).contains { $0.contains("twice") })
    }

    @Test(arguments: [
        ("value = \"a\"\nkey = \"b\"\nnumerator = \"1\"", "master.numerator: wants unit beside it"),
        ("unit = \"a\"\nkey = \"b\"\nvalue = \"c\"", "master.value: does not go with unit"),
        ("unit = \"a\"\nkey = \"b\"\nnumerator = \"1\"", "master.denominator is missing"),
        ("key = \"b\"", "master.value is missing"),
        ("key = \"b\"\nvalue = \"c\"\npath = \"a{x}\"", "braces hold a date"),
    ])
    func `master data that could not be looked up is refused`(lines: String, words: String) {
        let path = lines.contains("path") ? "" : "path = \"m.csv\"\n"
        let found = problems(minimal + "\n[[master]]\nname = \"m\"\n\(path)\(lines)\n")
        #expect(found.contains { $0.contains(words) }, "\(found)")
    }

    @Test func `a mapping has the master data that it names, and units only from a master of units`() throws {
        let master = "\n[[master]]\nname = \"m\"\npath = \"m.csv\"\nkey = \"b\"\nvalue = \"c\"\n"
        func parsed(_ text: String) throws -> [String] {
            try Configuration.parse(text, file: "a", directory: "/d", environment: [:]).sources[0].mapping.masters.map(
                \.name)
        }
        #expect(try parsed(minimal + master) == [])
        #expect(try parsed(minimal.replacing("sku = \"item\"", with: "sku = \"lookup('m', item)\"") + master) == ["m"])
        let units = minimal.replacing("name = \"moves\"", with: "name = \"moves\"\nunits = \"m\"") + master
        #expect(problems(units).contains { $0.contains("gives no units") })
        let good = units.replacing("value = \"c\"", with: "unit = \"c\"\nnumerator = \"1\"\ndenominator = \"1\"")
        #expect(try parsed(good) == ["m"])
    }

    // MARK: the description of the keys

    /// The default file with its examples for settings.
    private func examples() -> String {
        DefaultFile.text.split(separator: "\n", omittingEmptySubsequences: false).map { line -> Substring in
            line.hasPrefix("#") && !line.hasPrefix("# ") ? line.dropFirst() : line
        }.joined(separator: "\n")
    }

    /// The same with every default spelled out, as a user would write it.
    private func everything() -> String {
        examples().split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
            guard line.hasPrefix("# "), line.contains(" = "), !line.contains("\"…\"") else { return String(line) }
            return String(line.dropFirst(2))
        }.joined(separator: "\n")
    }

    @Test func `the default file as it is names what is needed, and nothing else`() {
        let found = problems(DefaultFile.text)
        #expect(found.count == 4, "\(found)")
        for words in ["tenant", "site", "brokers", "at least one [[source]]"] {
            #expect(found.contains { $0.contains(words) }, "\(words): \(found)")
        }
    }

    @Test func `the default file is what the description of the keys writes`() throws {
        let path = #filePath.components(separatedBy: "/Tests/")[0] + "/agent.conf"
        if ProcessInfo.processInfo.environment["WAYBILL_REWRITE"] != nil {
            try DefaultFile.text.write(toFile: path, atomically: true, encoding: .utf8)
        }
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text == DefaultFile.text, "WAYBILL_REWRITE=1 swift test writes it anew")
    }

    @Test func `what the default file calls defaults are the defaults`() throws {
        let plain = try Configuration.parse(examples(), file: "a", directory: "/d", environment: [:])
        let spelled = try Configuration.parse(everything(), file: "a", directory: "/d", environment: [:])
        #expect(comparable(plain) == comparable(spelled))
    }

    /// Without the places of expressions, which differ.
    private func comparable(_ configuration: Configuration) -> String {
        var same = configuration
        for index in same.sources.indices {
            same.sources[index].mapping.rules = same.sources[index].mapping.rules.map { rule in
                var rule = rule
                rule.expressions = [:]
                return rule
            }
            same.sources[index].mapping.ignores = []
        }
        return stable(same)
    }

    /// The value in words, whatever order its dictionaries have.
    private func stable(_ value: Any) -> String {
        let mirror = Mirror(reflecting: value)
        if mirror.children.isEmpty { return "\(value)" }
        let parts = mirror.children.map { "\($0.label ?? "")=\(stable($0.value))" }
        let isOrdered = mirror.displayStyle != .dictionary && mirror.displayStyle != .set
        return "(\((isOrdered ? parts : parts.sorted()).joined(separator: ",")))"
    }

    @Test func `every described key is read, and nothing else is`() throws {
        #expect(try Configuration.keysNeverAsked(everything() + grouped) == [])
    }

    // MARK: bad values

    @Test(arguments: [
        ("[mqtt]", "[mqtt]\nwindow = 501", "mqtt.window: wants 1 to 500"),
        ("[mqtt]", "[mqtt]\nbackoff = { min = \"1ms\" }", "mqtt.backoff.min: wants 10ms to 1h"),
        ("[mqtt]", "[mqtt]\nbackoff = { min = \"5s\", max = \"1s\" }", "mqtt.backoff.min: is more than max"),
        ("[mqtt]", "[mqtt]\ncatch_up_rate = \"0/s\"", "mqtt.catch_up_rate: wants 1/s to 1000000/s"),
        ("[mqtt]", "[mqtt]\nversion = \"4\"", "mqtt.version: \"4\" is none of 5, 3.1.1"),
        ("[mqtt]", "[mqtt]\ncert_file = \"c.pem\"", "mqtt.cert_file: wants its key"),
        ("[mqtt]", "[mqtt]\nbatch = 5", "mqtt.batch: wants a table"),
        ("[site]", "[site]\ntime_zone = \"Mars/Base\"", "site.time_zone: time zone \"Mars/Base\" is not known"),
        ("name = \"moves\"", "name = \"moves\"\ntime_zone = \"Mars/Base\"", "source.time_zone: time zone"),
        ("name = \"moves\"", "name = \"moves\"\nformat = { header = false }", "source.format.header: without a header"),
        (
            "name = \"moves\"", "name = \"moves\"\nformat = { type = \"idoc\" }",
            "\"idoc\" is not available in this version"
        ),
        (
            "name = \"moves\"", "name = \"moves\"\nkind = \"sql\"",
            "source.kind: \"sql\" is not available in this version"
        ),
        ("name = \"moves\"", "name = \"moves\"\nquery = \"select\"", "source.query: is not available in this version"),
        ("name = \"moves\"", "name = \"moves\"\nstart = \"2026-13-01\"", "source.start: wants beginning, end or a day"),
        (
            "name = \"moves\"", "name = \"moves\"\nreasons = { A = \"sold\" }",
            "source.reasons: \"sold\" (for A) is none of"
        ),
        ("\"moves.csv\"", "\"mov{es}.csv\"", "source.path: braces hold a date"),
        ("\"moves.csv\"", "\"*/moves.csv\"", "source.path: only the file's name"),
        ("[[source]]", "[source]", "source: is a list of tables: write [[source]], with double brackets"),
        ("sku = \"item\"", "skuu = \"item\"", "did you mean \"sku\"?"),
        ("type = \"stock.received\"", "type = \"stock.reversed\"", "wants reversed_type"),
        ("type = \"stock.received\"", "type = \"stock.got\"", "\"stock.got\" is no event type"),
        ("[mqtt]", "[mqtt]\ntoken = \"hunter2\"", "mqtt.token: secrets do not belong here"),
    ])
    func `a wrong value is refused in words that say what is wanted`(old: String, new: String, words: String) {
        let found = problems(minimal.replacing(old, with: new))
        #expect(found.contains { $0.contains(words) }, "\(found)")
        #expect(!found.contains { $0.contains("hunter2") })
    }

    // MARK: places

    @Test(arguments: ["\n", "\r\n"])
    func `a place is that of the key, in inline tables and with either line end`(newline: String) {
        let text = minimal.replacing(
            "[mqtt]",
            with: "[mqtt] # comment = 1\nbatch = { above = 1,\tevents = 0 }\nnote = \"\"\"\nwindow = 1\n\"\"\"")
        let found = problems(text.replacing("\n", with: newline))
        #expect(found.contains { $0.hasPrefix("agent.conf:5:22: mqtt.batch.events: wants 1 to 100") }, "\(found)")
        #expect(found.contains { $0.hasPrefix("agent.conf:6:1: mqtt.note: is no key") }, "\(found)")
    }

    // MARK: conf.d

    private func loaded(_ files: [(String, String)]) throws -> Configuration {
        try Configuration.parse(files, directory: "/etc/waybill", environment: [:])
    }

    @Test func `files of conf.d go over the main one: tables merge, sources add up`() throws {
        let more = """
            [mqtt]
            window = 7
            [site]
            site = "dc-8"
            [[source]]
            name = "second"
            path = "b.csv"
            [[source.event]]
            type = "stock.moved"
            sku = "i"
            """
        let configuration = try loaded([("agent.conf", minimal), ("conf.d/50-site.conf", more)])
        #expect(configuration.site.site == "dc-8" && configuration.mqtt.window == 7)
        #expect(configuration.mqtt.brokers.count == 1)
        #expect(configuration.sources.map(\.name) == ["moves", "second"])
    }

    @Test func `a problem in conf.d names its own file, and twins name both places`() {
        let second =
            "\n\n[[source]]\nname = \"moves\"\npath = \"b\"\n[[source.event]]\ntype = \"stock.moved\"\nskuu = \"i\"\n"
        let error = #expect(throws: ConfigurationError.self) {
            try loaded([("agent.conf", minimal), ("conf.d/a.conf", second)])
        }
        let found = error?.problems ?? []
        #expect(found.contains { $0.hasPrefix("conf.d/a.conf:8:1: source.event.skuu") }, "\(found)")
        #expect(
            found.contains { $0.hasPrefix("conf.d/a.conf:4:1: ") && $0.contains("the first is at agent.conf:7:1") },
            "\(found)")
    }

    @Test func `conf.d is read in the order of names, beside the file that was named`() throws {
        let directory = try TemporaryFiles()
        try directory.write(minimal, to: "agent.conf")
        try directory.write("[mqtt]\nwindow = 1\n", to: "conf.d/20-b.conf")
        try directory.write("[mqtt]\nwindow = 2\n", to: "conf.d/10-a.conf")
        try directory.write("broken", to: "conf.d/ignored.txt")
        let configuration = try Configuration.load(path: directory.path + "/agent.conf", environment: [:])
        #expect(configuration.mqtt.window == 1)
    }

    // MARK: credentials

    @Test func `a password comes from the credentials directory, the service's own first`() throws {
        let directory = try TemporaryFiles()
        try directory.write(minimal, to: "agent.conf")
        try directory.write("[agent]\ncredentials_dir = \"secrets\"\n", to: "conf.d/a.conf")
        try directory.write("one\n", to: "secrets/mqtt.password")
        let path = directory.path + "/agent.conf"
        #expect(try Configuration.load(path: path, environment: [:]).mqtt.password == "one")
        try directory.write("two", to: "service/secret_mqtt.password")
        let service = ["CREDENTIALS_DIRECTORY": directory.path + "/service"]
        #expect(try Configuration.load(path: path, environment: service).mqtt.password == "two")
    }

    @Test func `a credential that cannot be read is no absent one`() throws {
        let directory = try TemporaryFiles()
        try directory.write(minimal, to: "agent.conf")
        try directory.write("[agent]\ncredentials_dir = \"secrets\"\n", to: "conf.d/a.conf")
        // A directory in the file's place fails for every user, root too.
        try directory.write("x", to: "secrets/mqtt.password/inside")
        let configuration = try Configuration.load(path: directory.path + "/agent.conf", environment: [:])
        #expect(configuration.mqtt.password == nil)
        #expect(configuration.unreadableCredentials.first?.contains("mqtt.password cannot be read") == true)
        #expect(throws: ConfigurationError.self) { try configuration.requireCredentials() }
    }
}

/// A directory that is gone with its owner.
final class TemporaryFiles {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("waybill-\(UUID().uuidString)").path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String) throws {
        let file = path + "/" + name
        let parent = URL(fileURLWithPath: file).deletingLastPathComponent().path
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        try text.write(toFile: file, atomically: true, encoding: .utf8)
    }
}
