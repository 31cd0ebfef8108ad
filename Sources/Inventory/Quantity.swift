/// A decimal with at most 12 integer and 6 fraction digits, held as millionths; never floating point.
package struct Quantity: Hashable, Sendable, Comparable {
    /// Less than 10^18 either way.
    package let millionths: Int64

    package static let zero = Quantity(unchecked: 0)

    init(unchecked millionths: Int64) { self.millionths = millionths }

    package static func < (a: Quantity, b: Quantity) -> Bool { a.millionths < b.millionths }
}
