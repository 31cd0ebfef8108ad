import Foundation
import Logging
import Testing

@testable import Agent

/// A directory with an export, and agents that run there without a broker: what they are asked must not need one.
final class AgentSite {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("wb-\(UUID().uuidString.prefix(8))")
        .path
    var socket: String { directory + "/control.sock" }
    var client: ControlClient { ControlClient(path: socket) }

    init(lines: [String] = []) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try append([DemoWarehouse.header] + lines)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func append(_ lines: [String], to file: String = "moves.csv") throws {
        // Written anew, the file would be seen empty for a moment, and be read again from its beginning.
        try FileBytes.append(Array(lines.map { $0 + "\n" }.joined().utf8), to: directory + "/" + file)
    }

    /// The demo's configuration, changed.
    func configuration(_ change: (String) -> String = { $0 }) throws -> Configuration {
        try Configuration.parse(
            change(Demo.configuration(port: 1)), file: "agent.conf", directory: directory, environment: [:])
    }

    func start(_ change: (String) -> String = { $0 }) throws -> RunningAgent {
        var logger = Logger(label: "test") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .critical
        return try RunningAgent(try configuration(change), logger: logger)
    }

    func status() throws -> StatusDocument { try client.get(StatusDocument.self, "/v1/status") }

    func wait(_ condition: (StatusDocument) -> Bool) throws -> StatusDocument {
        var last = try status()
        let deadline = Clocks.monotonic() + 10_000
        while !condition(last), Clocks.monotonic() < deadline { last = try status() }
        return last
    }

    static func receipt(_ number: Int, code: String = "RC", quantity: String = "5,0") -> String {
        "T-\(number);\(code);20261123;091400;1001;W1;B1;;\(quantity);ST;SO-1;x"
    }
}

/// The program that was built beside these tests, as a technician runs it.
enum Program {
    struct Answer {
        var code: Int32
        var out: String
        var errors: String
    }

    static func run(_ arguments: [String], in directory: String? = nil) throws -> Answer {
        let bundle = URL(fileURLWithPath: ProcessInfo.processInfo.arguments[0]).resolvingSymlinksInPath()
        let process = Process()
        process.executableURL = bundle.deletingLastPathComponent().appendingPathComponent("waybill")
        process.arguments = arguments
        process.environment = ["COLUMNS": "80", "PATH": "/usr/bin:/bin"]
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let out = output.fileHandleForReading.readDataToEndOfFile()
        let told = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Answer(
            code: process.terminationStatus, out: String(decoding: out, as: UTF8.self),
            errors: String(decoding: told, as: UTF8.self))
    }
}
