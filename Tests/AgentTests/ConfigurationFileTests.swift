import Agent
import Foundation
import Testing

/// What stands around a configuration's text: its files and their bytes.
struct ConfigurationFileTests {
    private func problems(_ file: Data, besides: (String) throws -> Void = { _ in }) throws -> [String] {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("wb-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try file.write(to: URL(fileURLWithPath: directory + "/agent.conf"))
        try besides(directory)
        do { _ = try Configuration.load(path: directory + "/agent.conf", environment: [:]) } catch {
            return (error as? ConfigurationError)?.problems ?? ["\(error)"]
        }
        return []
    }

    @Test func `a file in another encoding is refused, not read with other letters`() throws {
        let text = Demo.configuration(port: 1).replacingOccurrences(of: "code = 'RC'", with: "code = 'ü'")
        #expect(try problems(Data(text.utf8)) == [])
        let found = try problems(try #require(text.data(using: .isoLatin1)))
        #expect(found.count == 1 && found[0].contains("agent.conf: is not UTF-8"), "\(found)")
    }

    @Test func `a conf.d that cannot be listed is an error, not an absent one`() throws {
        let found = try problems(Data(Demo.configuration(port: 1).utf8)) {
            try Data().write(to: URL(fileURLWithPath: $0 + "/conf.d"))
        }
        #expect(found.count == 1 && found[0].contains("conf.d: cannot be listed"), "\(found)")
    }
}
