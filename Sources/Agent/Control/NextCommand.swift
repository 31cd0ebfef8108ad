import Delivery

/// What a technician types next.
enum NextCommand {
    static func after(_ reason: HealthReason) -> String {
        switch reason.kind {
        case .damage: "waybill outbox verify"
        case .held, .capture: "journalctl -u waybill -n 50"
        case .refusal, .broker, .late: "waybill doctor"
        case .paused: "waybill outbox"
        case .page: "ss -ltnp"
        case .source: after(sourceStatus: reason.words, reason.subject)
        }
    }

    private static func after(sourceStatus words: String, _ source: String) -> String {
        let status = words.split(separator: ": ", maxSplits: 1).last ?? ""
        if status.hasPrefix("paused") { return "waybill sources resume \(source)" }
        if status.contains("reject") { return "waybill rejects list --source \(source)" }
        return "waybill sources \(source)"
    }

    /// Nil when all is well.
    static func after(_ reasons: [StatusDocument.ReasonLine], sources: [StatusDocument.SourceLine]) -> String? {
        reasons.first?.next
            ?? sources.first { $0.rejects > 0 }.map { "waybill rejects list --source \($0.name)" }
    }
}
