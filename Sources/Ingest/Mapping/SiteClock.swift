package import Inventory

/// A site's local time.
package struct SiteClock: Sendable {
    private let rules: TimeZoneRules
    private static let day: Int64 = 86_400_000

    /// Throws for a zone that is not known.
    package init(_ timeZone: String) throws { rules = try TimeZoneRules(name: timeZone) }

    /// The next moment at which the clock shows this minute of the day; where clocks go forward over it, an hour later.
    package func next(minute: Int64, after now: Timestamp) -> Timestamp {
        let local = now.milliseconds + rules.offset(atUTC: now.milliseconds / 1_000) * 1_000
        let midnight = local - (local % Self.day + Self.day) % Self.day
        for day in Int64(0)...2 {
            let civil = Timestamp(milliseconds: midnight + day * Self.day + minute * 60_000)
            let moment =
                switch rules.resolve(civil) {
                case .exact(let moment), .ambiguous(let moment): moment
                case .gap:
                    Timestamp(milliseconds: civil.milliseconds - rules.offset(atUTC: now.milliseconds / 1_000) * 1_000)
                }
            if moment > now { return moment }
        }
        return Timestamp(milliseconds: now.milliseconds + Self.day)
    }
}
