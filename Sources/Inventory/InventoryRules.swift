/// How a site's WMS keeps stock; decided by configuration.
package struct InventoryRules: Sendable, Equatable {
    package enum Allocation: String, Sendable { case untracked, location, site }

    /// The ledger starts with the warehouse: balances begin at 0 instead of unknown.
    package var baselineZero = false
    package var allocation = Allocation.untracked
    /// Buckets this WMS does not know: fixed at 0.
    package var unused: Set<Bucket> = []
    package var laneOverrides: [EventType: Lane] = [:]

    package init() {}

    /// The lane that an event travels on; `availableFell` says whether it lowered what is available, `reversing`
    /// what type of event a `stock.reversed` takes back: it travels as that one.
    package func lane(of type: EventType, availableFell: Bool, reversing original: EventType? = nil) -> Lane {
        if !laneOverrides.isEmpty, let lane = laneOverrides[type] { return lane }
        if type == .reversed, let original, original != .reversed {
            return lane(of: original, availableFell: availableFell)
        }
        switch type {
        case .reserved, .released, .picked, .shipped, .shipVoided, .sourceLoss: return .critical
        case .statusChanged: return availableFell ? .critical : .standard
        case .expected, .counted: return .bulk
        case .level: return availableFell ? .critical : .bulk
        default: return .standard
        }
    }
}
