import Agent
import Foundation
import Testing

struct ExampleTests {
    private var root: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    @Test func `the example becomes three events and four rejects, each with its reason`() throws {
        let folder = root.appendingPathComponent("Examples/csv-tail").path
        let configuration = try Configuration.load(path: folder + "/agent.conf", environment: [:])
        let result = try Trial(configuration, source: nil).run(file: folder + "/moves.csv")
        #expect(result.events == 3)
        #expect(result.ignored == 1)
        let codes = result.lines.filter { $0.hasPrefix("reject") }.map { $0.split(separator: " ")[2] }
        #expect(codes == ["lookup:", "time:", "unmapped:", "ragged:"])
        let repeated = try #require(result.lines.first { $0.contains("SO-883") })
        #expect(repeated.contains(#""time":"2026-10-25T00:30:00.000Z""#))
        #expect(repeated.contains(#""time_quality":"ambiguous""#))
        #expect(result.lines[0].contains(#""quantity":{"value":"1200.5","uom":"KGM"}"#))
    }
}
