import Inventory

/// Gathers what the journal tells of the time since the last check, or at least of the time around the export; piece by
/// piece, so that nothing else waits for it.
struct JournalLook {
    private var span: JournalSpan?
    private var gathering = StockMoves()
    /// All of them; nil while they are being gathered, and where the journal does not tell enough.
    private(set) var moves: StockMoves?

    /// More would take longer, and more memory, than a cause is worth.
    private static let mostEvents: Int64 = 50_000

    /// `lastAsOf`: the time of the export that was checked before, in milliseconds since 1970.
    init(_ view: any StockView, asOf: Int64, lastAsOf: Int64?) throws {
        for moment in Set([min(lastAsOf ?? asOf, asOf), asOf]).sorted() where span == nil {
            let start = Timestamp(milliseconds: moment - StockComparison.margin)
            span = try view.journal(since: start, limit: Self.mostEvents)
        }
    }

    /// False when there is no more to read.
    mutating func goOn(_ view: any StockView) throws -> Bool {
        guard var rest = span else { return false }
        try view.read(&rest, into: &gathering)
        span = rest.events > 0 ? rest : nil
        guard span == nil else { return true }
        gathering.sort()
        moves = gathering
        gathering = StockMoves()
        return false
    }
}
