import Ingest
import Inventory

extension ConfigurationReader {
    /// Nil for a file that grows; says which keys belong to the other kind.
    func drop(_ table: ConfigurationTable, _ definition: SourceDefinition) -> DropSettings? {
        let isDrop = table.text("kind") == "drop"
        let isFull = table.text("mode") == "full"
        for key in isDrop ? Self.tailKeys : Self.dropKeys where !table.isDefault(key) {
            table.wrong(key, "belongs to kind = \"\(isDrop ? "tail" : "drop")\"")
        }
        var drop = DropSettings()
        if let completion = completion(table) { drop.completion = completion }
        drop.order = table.text("order").flatMap { DropSettings.Order(rawValue: $0) } ?? drop.order
        drop.after = table.text("after").flatMap { DropSettings.After(rawValue: $0) } ?? drop.after
        drop.archive = table.text("archive").map(resolve)
        drop.failed = table.text("failed").map(resolve)
        drop.patience = table.measure("patience") ?? drop.patience
        if drop.after == .archive, drop.archive == nil {
            table.wrong("after", "wants the directory: archive = \"…\", on the same filesystem")
        }
        let full = full(table)
        guard isDrop else { return nil }
        do { _ = try DropPattern(definition.path.fileName) } catch { table.wrong("path", "\(error)") }
        if isFull {
            drop.full = full
            requireLevels(table, definition)
        }
        return drop
    }

    private static let tailKeys = ["linger", "flush_after"]
    private static let dropKeys = [
        "marker", "settle", "complete", "order", "after", "archive", "failed", "patience", "mode", "missing",
        "gone_limit", "as_of", "parts", "checks",
    ]

    private func completion(_ table: ConfigurationTable) -> DropSettings.Completion? {
        let marker = table.text("marker")
        let settle = table.measure("settle")
        switch table.text("complete") ?? (marker == nil ? "settle" : "marker") {
        case "marker":
            guard let marker, !marker.isEmpty else {
                table.wrong("complete", "wants the marker's suffix: marker = \".done\"")
                return nil
            }
            return .marker(marker)
        case "renamed": return .renamed
        default: return .settle(settle ?? 10_000)
        }
    }

    private func full(_ table: ConfigurationTable) -> FullSettings {
        var full = FullSettings()
        full.missing = table.text("missing").flatMap { FullSettings.Missing(rawValue: $0) } ?? full.missing
        full.goneLimit = table.measure("gone_limit") ?? full.goneLimit
        full.asOf = table.text("as_of").flatMap { FullSettings.AsOf(rawValue: $0) } ?? full.asOf
        full.parts = table.measure("parts").map { Int($0) } ?? full.parts
        full.checks = table.text("checks")
        return full
    }

    /// Rows of a full export are stock, not changes of it.
    private func requireLevels(_ table: ConfigurationTable, _ definition: SourceDefinition) {
        for rule in definition.mapping.rules where rule.type != .level || rule.also {
            table.wrong(
                "mode", "full wants rules of type stock.level, without also: what changed is found by comparing")
            return
        }
    }
}
