import Ingest
import Inventory

/// When each day's reconciliation is due, by the site's clock; a value.
struct ReconcileSchedule {
    /// Minutes after midnight.
    let minute: Int64
    private let zone: SiteClock
    private var next: Timestamp

    init?(minute: Int64?, timeZone: String, now: Timestamp) {
        guard let minute, let zone = try? SiteClock(timeZone) else { return nil }
        self.minute = minute
        self.zone = zone
        next = zone.next(minute: minute, after: now)
    }

    /// Days have 25 hours at most; what lies further ahead was reckoned by a clock that was wrong.
    private static let furthest: Int64 = 26 * 3_600_000

    /// True once a day.
    mutating func isDue(_ now: Timestamp) -> Bool {
        if next.milliseconds - now.milliseconds > Self.furthest { next = zone.next(minute: minute, after: now) }
        guard now >= next else { return false }
        next = zone.next(minute: minute, after: now)
        return true
    }

    /// `02:30` as minutes; nil for what is no time of a day.
    static func minute(_ text: String) -> Int64? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.count == 2 }), let hour = Int64(parts[0]),
            let minute = Int64(parts[1]), (0..<24).contains(hour), (0..<60).contains(minute)
        else { return nil }
        return hour * 60 + minute
    }
}
