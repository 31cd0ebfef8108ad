import Delivery
import Inventory
import Outbox

extension ControlDesk {
    private static let day: Int64 = 86_400_000

    /// The local page as HTML. `refresh`: seconds after which the browser loads it anew.
    func page(refresh: Int?) throws -> String {
        let reader = try outbox.reader()
        let since = Timestamp(milliseconds: Clocks.wall().milliseconds - Self.day)
        let rejects = try reader.rejects(limit: Int64(Page.mostRejects)).map(Self.document)
        let content = PageContent(
            status: try status(reader), sources: try sources(named: nil, reader),
            history: try reader.lagHistory(since: since),
            rejects: rejects, rejectCount: try reader.openRejects(), refresh: refresh)
        return Page(content).html
    }

    /// Whether the agent makes progress, and what needs attention where it does not.
    func healthz() -> (isHealthy: Bool, text: String) {
        let reasons = reasons(at: Clocks.wall())
        guard !reasons.isEmpty else { return (true, "ok\n") }
        return (false, reasons.map { "\($0.words) (since \($0.since))\n" }.joined())
    }
}
