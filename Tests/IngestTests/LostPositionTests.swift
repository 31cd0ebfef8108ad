import Ingest
import Inventory
import Testing

struct LostPositionTests {
    private let export: Export
    private let header = "code;item;qty\n"

    init() throws { export = try Export() }

    private func skus(_ records: [CapturedRecord]) -> [String] {
        records.flatMap { record in
            guard case .events(let drafts) = record.outcome else { return ["-"] }
            return drafts.map(\.sku)
        }
    }

    @Test func `where a damaged outbox lost the position, all that is there is read and the rest told as a loss`()
        throws
    {
        try export.append(header + "RC;1;5\n", to: "moves.csv.1")
        try export.append(header + "RC;2;5\n")
        let pipeline = try export.pipeline(lostWith: "outbox.sqlite.corrupt-17") { $0.startsAtEnd = true }
        let records = try export.drain(pipeline)
        #expect(skus(records) == ["", "1", "2"])
        guard case .events(let drafts)? = records.first?.outcome else { return }
        #expect(drafts.first?.type == .sourceLoss)
        try export.append("RC;3;5\n")
        let resumed = try export.pipeline(lostWith: "outbox.sqlite.corrupt-17") { $0.startsAtEnd = true }
        #expect(skus(try export.drain(resumed)) == ["3"])
    }

    @Test func `a source whose file comes only after the damage is read from its first byte`() throws {
        let pipeline = try export.pipeline(lostWith: "outbox.sqlite.corrupt-17") { $0.startsAtEnd = true }
        #expect(skus(try export.drain(pipeline)) == [""])
        try export.append(header + "RC;1;5\n")
        let resumed = try export.pipeline(lostWith: "outbox.sqlite.corrupt-17") { $0.startsAtEnd = true }
        #expect(skus(try export.drain(resumed)) == ["1"])
    }
}
