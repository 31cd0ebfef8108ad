import Inventory
import SQLite

/// Whether an export may be true: what too much of the stock is missing in waits for a technician's word.
extension FullImport {
    func weigh() throws -> Step {
        guard let writer else { return .more }
        let known = try Int64(memory.text("keys") ?? "0") ?? 0
        try writer.leaveUnknown()
        var gone = try writer.goneKeys()
        let blind = try memory.connection.integer(
            "SELECT count(*) FROM rows WHERE kind = 2 AND key IS NULL AND died = 0")
        if gone > 0, blind > 0 || settings.missing == .unchanged {
            if blind > 0 {
                notices.append(
                    "\(content.name): \(blind) rows name no key, so \(gone) missing keys are left as they were")
            }
            try writer.reviveGone()
            gone = 0
        }
        let added = try writer.addedKeys()
        if !isAccepted, let doubt = try doubt(known: known, gone: gone, added: added) {
            return .held("\(content.name): \(doubt)")
        }
        try memory.put("keys", text: "\(known - gone + added)")
        try memory.put("row_count", text: "\(rows)")
        try memory.put("zeroes", text: mapsAsBefore ? "1" : "0")
        try memory.put("mapping", text: mapping.version)
        let before = try memory.text("columns")?.split(separator: "\u{1F}").map(String.init)
        notices += NewColumns.told(before, columns, in: content.name)
        try memory.put("columns", text: columns.joined(separator: "\u{1F}"))
        try memory.finishLong()
        return .done
    }

    private func doubt(known: Int64, gone: Int64, added: Int64) throws -> String? {
        if gone * 100 > known * settings.goneLimit {
            return "\(gone) of \(known) known keys are gone, more than \(settings.goneLimit) %"
        }
        // Fewer rows of the same keys would be smaller sums.
        let before = try Int64(memory.text("row_count") ?? "0") ?? 0
        if settings.missing == .zero, (before - Int64(rows)) * 100 > before * settings.goneLimit {
            return "it has \(rows) rows, and the last one had \(before)"
        }
        if try !mapsAsBefore, gone > 0, added > 0 {
            return "the mapping changed, and with it \(gone) keys went and \(added) came"
        }
        return nil
    }

    private var mapsAsBefore: Bool {
        get throws { try memory.text("mapping").map { $0 == mapping.version } ?? true }
    }
}
