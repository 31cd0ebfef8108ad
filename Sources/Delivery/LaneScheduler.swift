package import Inventory

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
    package mutating func next(among ready: [Lane]) -> Lane? {
        guard !ready.isEmpty else { return nil }
        var total = 0
        var best = ready[0]
        for lane in ready {
            let index = Int(lane.rawValue)
            credit[index] += weights[index]
            total += weights[index]
            if credit[index] > credit[Int(best.rawValue)] { best = lane }
        }
        credit[Int(best.rawValue)] -= total
        return best
    }
}
