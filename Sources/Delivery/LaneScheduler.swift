package import Inventory

/// Some of the lanes.
package struct LaneSet: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package init(_ lanes: [Lane]) { rawValue = lanes.reduce(0) { $0 | 1 << $1.rawValue } }

    package mutating func insert(_ lane: Lane) { self = LaneSet(rawValue: rawValue | 1 << lane.rawValue) }

    package func contains(_ lane: Lane) -> Bool { rawValue & (1 << lane.rawValue) != 0 }
}

/// Shares one window between lanes by weight: smooth weighted round robin, so that no lane starves and an idle lane's
/// share goes to the others.
package struct LaneScheduler: Sendable {
    private let weights: [Int]
    private var credit: [Int]

    /// Weights of at least 1, by lane.
    package init(weights: [Lane: Int]) {
        self.weights = Lane.allCases.map { max(1, weights[$0] ?? 1) }
        credit = Lane.allCases.map { _ in 0 }
    }

    /// The lane that sends next among those with something to send; nil when there are none.
    package mutating func next(among ready: LaneSet) -> Lane? {
        var total = 0
        var best: Int?
        for index in weights.indices where ready.rawValue & (1 << UInt8(index)) != 0 {
            credit[index] += weights[index]
            total += weights[index]
            if best.map({ credit[index] > credit[$0] }) ?? true { best = index }
        }
        guard let best else { return nil }
        credit[best] -= total
        return Lane(rawValue: UInt8(best))
    }
}
