import Agent
import Ingest
import MQTT
import Testing

struct ConfigurationTests {
    private let minimal = """
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

    private func problems(_ text: String) -> [String] {
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
        let found = problems(minimal.replacing("dc-7", with: "dc/7"))
        #expect(found.count == 1)
    }

    @Test(arguments: ["keep = \"7 days\"", "keep = 7", "limit = \"99999999999999GiB\""])
    func `a value without a known unit is refused`(line: String) {
        #expect(problems(minimal.replacing("[mqtt]", with: "[outbox]\n\(line)\n[mqtt]")).count == 1)
    }

    @Test(arguments: ["[commands]\nrequesters = []", "[http]\nlisten = \"x\"", "[lanes.critical]\nmax_age = \"60s\""])
    func `a key of a later version is refused as such, never ignored`(lines: String) {
        let found = problems(minimal.replacing("[mqtt]", with: "\(lines)\n[mqtt]"))
        #expect(found.count == 1 && found[0].contains("is not available in this version"))
    }

    @Test func `two sources of one name are refused`() {
        let second =
            "\n[[source]]\nname = \"moves\"\npath = \"b\"\n[[source.event]]\ntype = \"stock.moved\"\nsku = \"i\"\n"
        #expect(problems(minimal + second).contains { $0.contains("twice") })
    }
}
