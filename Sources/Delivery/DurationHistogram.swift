/// How long things took: counts by upper bound, as Prometheus keeps a histogram.
package struct DurationHistogram: Sendable, Equatable {
    /// In milliseconds; what took longer than the last counts beyond all of them.
    package static let bounds: [Int64] = [
        5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000,
        14_400_000, 86_400_000,
    ]

    /// One more than there are bounds; not cumulative.
    package private(set) var counts = [Int64](repeating: 0, count: bounds.count + 1)
    package private(set) var sumMilliseconds: Int64 = 0

    package var count: Int64 { counts.reduce(0, +) }

    /// A negative duration, of clocks that differ, counts as none.
    mutating func observe(_ milliseconds: Int64) {
        let duration = max(0, milliseconds)
        counts[Self.bounds.firstIndex { duration <= $0 } ?? Self.bounds.count] += 1
        sumMilliseconds = sumMilliseconds.addingReportingOverflow(duration).partialValue
    }
}
