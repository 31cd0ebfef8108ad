import Inventory
import Outbox

/// How one figure of a lane went over 24 hours, in steps of five minutes: the worst of each. Where the agent did not run
/// there is a gap.
struct LagChart {
    /// The worst by step, the oldest first; nil where nothing is known.
    let steps: [Int64?]
    let highest: Int64
    private let end: Timestamp

    static let count = 288
    private static let stepLength: Int64 = 300_000
    private static let height: Int64 = 100

    init(_ samples: [LagSample], lane: Lane, end: Timestamp, _ figure: (LagSample) -> Int64) {
        var steps = [Int64?](repeating: nil, count: Self.count)
        for sample in samples where sample.lane == lane {
            let back = (end.milliseconds - sample.at.milliseconds) / Self.stepLength
            guard back >= 0, back < Int64(Self.count) else { continue }
            let index = Self.count - 1 - Int(back)
            steps[index] = max(steps[index] ?? 0, figure(sample))
        }
        self.steps = Self.bridged(steps)
        self.end = end
        highest = steps.compactMap { $0 }.max() ?? 0
    }

    /// Samples come every five minutes and some: a single empty step between two is no gap.
    private static func bridged(_ steps: [Int64?]) -> [Int64?] {
        var bridged = steps
        for index in 1..<(steps.count - 1) where steps[index] == nil && steps[index - 1] != nil {
            if steps[index + 1] != nil { bridged[index] = steps[index - 1] }
        }
        return bridged
    }

    /// An SVG path in a box of 288 by 100, a step a unit wide, closed along the ground.
    var path: String {
        let top = max(1, highest)
        var path = ""
        var last: Int64?
        for (index, value) in steps.enumerated() {
            let y = value.map { Self.height - $0 * Self.height / top }
            if let y, y != last { path += last == nil ? "M\(index) \(Self.height)V\(y)" : "H\(index)V\(y)" }
            if y == nil, last != nil { path += "H\(index)V\(Self.height)" }
            last = y
        }
        return last == nil ? path : path + "H\(steps.count)V\(Self.height)"
    }

    /// The worst of each hour, the newest first, with the hour's begin.
    var hours: [(begin: Timestamp, worst: Int64)] {
        let perHour = 12
        return stride(from: 0, to: steps.count, by: perHour).reversed().compactMap { first in
            guard let worst = steps[first..<first + perHour].compactMap({ $0 }).max() else { return nil }
            let back = Int64(steps.count - first) * Self.stepLength
            return (Timestamp(milliseconds: end.milliseconds - back), worst)
        }
    }
}
