import Foundation
import OwnThread
import Testing

@testable import Agent

/// `waybill outbox verify` as a technician runs it: what it prints, and its exit code.
@Suite(.ownThread) struct VerifyTests {
    private func verify(_ arguments: String...) throws -> Program.Answer {
        try Program.run(["outbox", "verify"] + arguments)
    }

    private func file(_ site: AgentSite) -> String { site.directory + "/data/outbox.sqlite" }

    /// Overwrites the file's second half.
    private func damage(_ path: String) throws {
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        let size = try handle.seekToEnd()
        try handle.seek(toOffset: size / 2)
        try handle.write(contentsOf: Data(repeating: 0xFF, count: Int(size - size / 2)))
        try handle.close()
    }

    @Test func `a healthy file is healthy, with its agent running and after it`() throws {
        let site = try AgentSite()
        let agent = try site.start()
        let asked = try verify("--socket", site.socket)
        agent.shutDown()
        #expect(asked.code == 0)
        #expect(asked.out == "healthy: \(file(site))\n")
        let read = try verify("--file", file(site), "--json")
        #expect(read.code == 0)
        #expect(read.out.contains(#""problems":[]"#) && read.out.contains(#""schema":1"#))
    }

    @Test func `a damaged file is told line by line and exits with 1`() throws {
        let site = try AgentSite()
        try site.start().shutDown()
        try damage(file(site))
        let read = try verify("--file", file(site))
        #expect(read.code == 1)
        #expect(!read.out.isEmpty && !read.out.contains("healthy"))
    }

    @Test
    func `after a damaged outbox a source that starts at the end is read from its first line, and status says why`()
        throws
    {
        let site = try AgentSite(lines: (1...3).map { AgentSite.receipt($0) })
        let file = site.directory + "/data/outbox.sqlite"
        try FileManager.default.createDirectory(atPath: site.directory + "/data", withIntermediateDirectories: true)
        try Data(repeating: 0x5A, count: 8_192).write(to: URL(fileURLWithPath: file))
        let agent = try site.start {
            $0.replacingOccurrences(of: "kind = \"tail\"", with: "kind = \"tail\"\nstart = \"end\"")
        }
        defer { agent.shutDown() }
        let status = try site.wait { $0.lanes.map(\.head).reduce(0, +) >= 4 }
        // The loss among the urgent ones, and each line of the export.
        #expect(status.lanes.map(\.head) == [1, 3, 0])
        #expect(status.reasons.contains { $0.contains("damaged and is kept as") })
    }

    @Test func `without an agent, and without a file, the exit codes say so`() throws {
        let site = try AgentSite()
        #expect(try verify("--socket", site.socket).code == 3)
        #expect(try verify("--file", site.directory + "/nothing.sqlite").code == 5)
    }
}
