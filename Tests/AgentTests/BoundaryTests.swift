import Foundation
import Testing

/// Arrows point one way (ARCHITECTURE.md), and no product file imports full Foundation.
struct BoundaryTests {
    private static let allowed: [String: Set<String>] = [
        "SQLite": [], "Inventory": [], "MQTT": [],
        "Contract": ["Inventory"],
        "Ingest": ["Inventory", "SQLite"],
        "Outbox": ["Inventory", "SQLite"],
        "Delivery": ["Contract", "Inventory", "MQTT", "Outbox"],
        "Receiver": ["Contract", "Inventory", "MQTT", "SQLite"],
        "Agent": ["Contract", "Delivery", "Ingest", "Inventory", "MQTT", "Outbox", "Receiver", "SQLite"],
        "waybill": ["Agent", "Delivery", "Inventory", "Receiver"],
    ]

    private static var sources: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Sources")
    }

    private func imports(of target: String) throws -> [(file: String, module: String)] {
        let folder = Self.sources.appendingPathComponent(target)
        let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
        return try files.flatMap { file in
            let text = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
            return text.split(separator: "\n").compactMap { line -> (file: String, module: String)? in
                let words = line.split(separator: " ")
                guard let place = words.firstIndex(of: "import"), place <= 1, place + 1 < words.count else {
                    return nil
                }
                return (file, String(words[place + 1]))
            }
        }
    }

    @Test(arguments: allowed.keys.sorted())
    func `a target imports only what stands below it`(target: String) throws {
        let own = try imports(of: target)
        #expect(!own.isEmpty)
        for (file, module) in own where Self.allowed[module] != nil {
            #expect(Self.allowed[target]?.contains(module) == true, "\(target)/\(file) imports \(module)")
        }
        #expect(!own.contains { $0.module == "Foundation" || $0.module == "FoundationNetworking" })
    }
}
