import Foundation
import MQTT
import Synchronization
import Testing

@testable import Agent

/// The project's own directory, and python3 with what `make setup` put beside the build.
enum Python {
    static let root = #filePath.components(separatedBy: "/Tests/AgentTests/")[0]
    static var packages: String { root + "/.build/python-packages" }

    /// Why tests that need it are skipped; nil: it is there.
    static let missing: String? = {
        for name in ["paho", "jsonschema", "yaml"] where !FileManager.default.fileExists(atPath: "\(packages)/\(name)")
        {
            return "\(name) is not in .build/python-packages; make setup installs it with pip"
        }
        return (try? run(["-c", "import jsonschema"]).code) == 0 ? nil : "python3 does not run"
    }()

    static var isThere: Bool { missing == nil }

    static func run(_ arguments: [String], in directory: String = root) throws -> Program.Answer {
        let process = process(arguments, in: directory)
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let out = output.fileHandleForReading.readDataToEndOfFile()
        let told = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Program.Answer(
            code: process.terminationStatus, out: String(decoding: out, as: UTF8.self),
            errors: String(decoding: told, as: UTF8.self))
    }

    static func process(_ arguments: [String], in directory: String = root) -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3"] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging([
            "PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1",
        ]) { $1 }
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        return process
    }
}

/// Everything that passes a broker, as it is: topic and payload.
final class Tap: Sendable {
    private let heard = Mutex<[(topic: String, payload: [UInt8])]>([])
    private let session = Mutex<MQTTSession?>(nil)
    private let isReady = Flag()

    init(port: UInt16) throws {
        let options = try {
            var options = MQTTOptions(
                brokers: [try #require(BrokerAddress("mqtt://127.0.0.1:\(port)"))], clientID: "tap")
            options.isCleanStart = false
            options.backoffMin = 20
            options.backoffMax = 50
            return options
        }()
        let session = MQTTSession(options: options) { Handler(self) }
        self.session.withLock { $0 = session }
        session.start()
        Demo.wait(until: Clocks.monotonic() + 10_000) { isReady.isSet }
    }

    func stop() { session.withLock { $0 }?.stop() }

    var all: [(topic: String, payload: [UInt8])] { heard.withLock { $0 } }

    private final class Handler: SessionHandler {
        private let tap: Tap

        init(_ tap: Tap) { self.tap = tap }

        func willConnect() -> ConnectDecision { .connect(clientIDSuffix: "", will: nil) }
        func connected(_ port: SessionPort) { port.subscribe(["waybill/#"]) }
        func subscribed(codes: [Int32], port: SessionPort) { tap.isReady.set() }
        func received(_ message: InboundMessage, port: SessionPort) {
            tap.heard.withLock { $0.append((message.topic, message.payload)) }
        }
        func acknowledged(token: UInt64, reason: UInt8, port: SessionPort) {}
        func refill(_ port: SessionPort) {}
        func tick(nowMilliseconds: Int64, port: SessionPort?) {}
        func lost(_ loss: ConnectionLoss) {}
        func farewell(_ port: SessionPort) -> Message? { nil }
    }
}
