import Foundation
import OwnThread
import Testing

@testable import Agent

/// The contract as files: what they say has a form, and agrees with what is sent.
struct ProtocolDocumentTests {
    @Test(.enabled(if: Python.isThere, "needs python3 with jsonschema and PyYAML: make setup"))
    func `schemas, the page's examples and the AsyncAPI document are of their form`() throws {
        let answer = try Python.run(["Tests/Fixtures/validate.py", "docs"])
        #expect(answer.code == 0, "\(answer.out)\(answer.errors)")
    }

    @Test(.enabled(if: Python.isThere, "needs python3 with paho-mqtt: make setup"))
    func `the Python consumer's own tests pass`() throws {
        let answer = try Python.run(["-m", "unittest", "-q"], in: Python.root + "/Examples/python-consumer")
        #expect(answer.code == 0, "\(answer.errors)")
    }

    @Test func `the page names every command, code and topic that the code has`() throws {
        let page = try String(contentsOfFile: Python.root + "/docs/protocol.md", encoding: .utf8)
        let codes = ["UNKNOWN_EPOCH", "RANGE_PRUNED", "TOO_LARGE", "BUSY", "DENIED", "STALE", "MALFORMED", "FORK"]
        for word in codes + ["### ping", "### replay", "### resync", "### receipt", "### digest"] {
            #expect(page.contains(word), "\(word)")
        }
    }
}

/// The consumer that was written from the page alone, against the real program: killed, and its broker emptied.
@Suite(.ownThread) struct PythonConsumerTests {
    private final class Scene {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "wb-\(UUID().uuidString.prefix(8))"
        )
        .path
        let broker: DemoBroker
        var warehouse: DemoWarehouse
        var agent: ChildProcess?

        init() throws {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            broker = try DemoBroker(directory: directory, settings: "persistence false\nmax_queued_messages 1000")
            try broker.start()
            warehouse = DemoWarehouse(path: directory + "/moves.csv")
            let text = Demo.configuration(port: broker.port, requesters: ["ingest"])
                .replacingOccurrences(of: "[mqtt]\n", with: "[mqtt]\nno_subscriber = \"accept\"\n")
            try Data(text.utf8)
                .write(to: URL(fileURLWithPath: directory + "/agent.conf"))
        }

        deinit {
            agent?.end(SIGKILL)
            broker.stop(SIGKILL)
            try? FileManager.default.removeItem(atPath: directory)
        }

        func startAgent() throws {
            let bundle = URL(fileURLWithPath: ProcessInfo.processInfo.arguments[0]).resolvingSymlinksInPath()
            let program = bundle.deletingLastPathComponent().appendingPathComponent("waybill").path
            agent = try ChildProcess(
                program, ["run", "--config", directory + "/agent.conf"], log: directory + "/agent.log")
        }

        func awaitAcks() {
            let client = ControlClient(path: directory + "/control.sock")
            Demo.wait(until: Clocks.monotonic() + 20_000) {
                guard let status = try? client.get(StatusDocument.self, "/v1/status") else { return false }
                let heads = status.lanes.reduce(0) { $0 + $1.head }
                return heads == warehouse.linesWritten && status.lanes.allSatisfy { $0.backlog == 0 }
            }
        }

        func consumer(_ more: [String]) -> [String] {
            [
                "consumer.py", "--port", "\(broker.port)", "--tenant", "demo", "--site", "dc-1", "--requester",
                "ingest",
                "--db", directory + "/consumer.sqlite",
            ] + more
        }
    }

    @Test(.enabled(if: Python.isThere, "needs python3 with paho-mqtt: make setup"), .timeLimit(.minutes(3)))
    func `it has every event once and equal stock, and all that passed is of the schemas`() throws {
        let scene = try Scene()
        let folder = Python.root + "/Examples/python-consumer"
        let tap = try Tap(port: scene.broker.port)
        defer { tap.stop() }
        try scene.warehouse.append(lines: 400)
        try scene.startAgent()
        scene.awaitAcks()
        // The next beacon would come in 30 s: a connection that begins shows one at once.
        scene.agent?.end(SIGTERM)
        try scene.startAgent()
        scene.awaitAcks()
        let first = Python.process(scene.consumer([]), in: folder)
        let out = Pipe()
        first.standardOutput = out
        try first.run()
        var lines = 0
        while lines < 200, let text = String(data: out.fileHandleForReading.availableData, encoding: .utf8) {
            lines += text.split(separator: "\n").count
        }
        kill(first.processIdentifier, SIGKILL)
        first.waitUntilExit()
        try scene.warehouse.append(lines: 300)
        scene.awaitAcks()
        scene.broker.stop(SIGKILL)
        try scene.broker.start()
        try scene.warehouse.append(lines: 50)
        scene.awaitAcks()
        let commands = { tap.all.filter { $0.topic.contains("/cmd/") }.count }
        let before = commands()
        let second = Python.process(scene.consumer(["--idle-exit", "4", "--digest-check"]), in: folder)
        let told = Pipe()
        second.standardOutput = FileHandle.nullDevice
        second.standardError = told
        try second.run()
        // It is there once it asks; what follows shows it the gap.
        Demo.wait(until: Clocks.monotonic() + 15_000) { commands() > before }
        try scene.warehouse.append(lines: 50)
        scene.awaitAcks()
        // A connection that begins shows a beacon, and one with the tree's root as soon as that is built.
        scene.agent?.end(SIGKILL)
        try scene.startAgent()
        let errors = String(decoding: told.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        second.waitUntilExit()
        #expect(second.terminationStatus == 0, "\(errors)")
        let count = try Python.run([
            "-c",
            "import sqlite3,sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT count(DISTINCT id), count(*) FROM ids').fetchone())",
            scene.directory + "/consumer.sqlite",
        ])
        #expect(count.out == "\(scene.warehouse.linesWritten) \(scene.warehouse.linesWritten)\n")
        try validate(tap.all, scene.directory)
    }

    private func validate(_ messages: [(topic: String, payload: [UInt8])], _ directory: String) throws {
        var kinds: Set<String> = []
        var lines = ""
        for (topic, payload) in messages {
            let parts = topic.split(separator: "/").map(String.init)
            let text = String(decoding: payload, as: UTF8.self)
            let schema =
                switch parts[5] {
                case "ev": "event"
                case "cmd": "command"
                case "rep": text.contains("\"cmd_id\"") ? "reply" : "event"
                default: parts[5]
                }
            kinds.insert(schema)
            let object = try JSONSerialization.jsonObject(with: Data(payload))
            for message in object as? [Any] ?? [object] {
                let entry = try JSONSerialization.data(withJSONObject: ["schema": schema, "message": message])
                lines += String(decoding: entry, as: UTF8.self) + "\n"
            }
        }
        #expect(kinds == ["event", "command", "reply", "state", "beacon", "meta"])
        try Data(lines.utf8).write(to: URL(fileURLWithPath: directory + "/messages.ndjson"))
        let answer = try Python.run(["Tests/Fixtures/validate.py", "docs", directory + "/messages.ndjson"])
        #expect(answer.code == 0, "\(answer.out)\(answer.errors)")
    }
}
