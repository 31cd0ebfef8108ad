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
        var lines: [String] = []
        let result = try Trial(configuration, source: nil).run(file: folder + "/moves.csv", asJSON: true) {
            lines.append($0)
        }
        #expect(result.events == 3)
        #expect(result.ignored == 1)
        #expect(result.rejectsByCode.mapValues(\.count) == ["lookup": 1, "time": 1, "unmapped": 1, "ragged": 1])
        #expect(result.unusedColumns == ["text"])
        let repeated = try #require(lines.first { $0.contains("SO-883") })
        #expect(repeated.contains(#""time":"2026-10-25T00:30:00.000Z""#))
        #expect(repeated.contains(#""time_quality":"ambiguous""#))
        #expect(lines[0].contains(#""quantity":{"value":"1200.5","uom":"KGM"}"#))
    }
}
