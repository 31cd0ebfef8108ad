import Foundation
import Logging
import Testing

@testable import Agent

/// `waybill outbox verify` as a technician runs it: what it prints, and its exit code.
struct VerifyTests {
    private final class Site {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("wb-\(UUID().uuidString.prefix(8))").path
        var socket: String { directory + "/control.sock" }
        var file: String { directory + "/data/outbox.sqlite" }

        init() throws {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: directory) }

        func start() throws -> RunningAgent {
            let configuration = try Configuration.parse(
                Demo.configuration(port: 1), file: "agent.conf", directory: directory, environment: [:])
            var logger = Logger(label: "test") { StreamLogHandler.standardError(label: $0) }
            logger.logLevel = .critical
            return try RunningAgent(configuration, logger: logger)
        }

        func verify(_ arguments: String...) throws -> (code: Int32, out: String) {
            let bundle = URL(fileURLWithPath: ProcessInfo.processInfo.arguments[0]).resolvingSymlinksInPath()
            let process = Process()
            process.executableURL = bundle.deletingLastPathComponent().appendingPathComponent("waybill")
            process.arguments = ["outbox", "verify"] + arguments
            let output = Pipe()
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            try process.run()
            let out = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return (process.terminationStatus, String(decoding: out, as: UTF8.self))
        }

        /// Overwrites the file's second half.
        func damage() throws {
            let handle = try #require(FileHandle(forUpdatingAtPath: file))
            let size = try handle.seekToEnd()
            try handle.seek(toOffset: size / 2)
            try handle.write(contentsOf: Data(repeating: 0xFF, count: Int(size - size / 2)))
            try handle.close()
        }
    }

    private let site: Site

    init() throws { site = try Site() }

    /// On a thread of its own, since starting and stopping block.
    private func onThread(_ body: @escaping @Sendable () throws -> Void) async throws {
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            Thread.detachNewThread { done.resume(with: Result { try body() }) }
        }
    }

    @Test func `a healthy file is healthy, with its agent running and after it`() async throws {
        try await onThread {
            let site = try Site()
            let agent = try site.start()
            let asked = try site.verify("--socket", site.socket)
            agent.shutDown()
            #expect(asked.code == 0)
            #expect(asked.out == "healthy: \(site.file)\n")
            let read = try site.verify("--file", site.file, "--json")
            #expect(read.code == 0)
            #expect(read.out.contains(#""problems":[]"#) && read.out.contains(#""schema":1"#))
        }
    }

    @Test func `a damaged file is told line by line and exits with 1`() async throws {
        try await onThread {
            let site = try Site()
            try site.start().shutDown()
            try site.damage()
            let read = try site.verify("--file", site.file)
            #expect(read.code == 1)
            #expect(!read.out.isEmpty && !read.out.contains("healthy"))
        }
    }

    @Test func `without an agent, and without a file, the exit codes say so`() async throws {
        let socket = site.socket
        let site = site.directory
        #expect(try self.site.verify("--socket", socket).code == 3)
        #expect(try self.site.verify("--file", site + "/nothing.sqlite").code == 5)
    }
}
