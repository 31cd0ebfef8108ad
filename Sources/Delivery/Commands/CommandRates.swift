/// How many commands are taken: a token bucket for each requester and one over all.
struct CommandRates: Sendable {
    private struct Bucket {
        var tokens: Double
        var at: Int64
    }

    static let perRequester = (perSecond: 20.0, burst: 40.0)
    static let overAll = (perSecond: 100.0, burst: 200.0)
    /// Names come from outside, so only so many are remembered.
    private static let mostRequesters = 64

    /// Counts one more of anybody's at this monotonic millisecond; false when it is one too many.
    mutating func takeOverAll(now: Int64) -> Bool { Self.take(&all, Self.overAll, now: now) }

    private var all = Bucket(tokens: overAll.burst, at: 0)
    private var requesters: [String: Bucket] = [:]

    /// Counts one command of a requester at this monotonic millisecond; false when it is one too many.
    mutating func take(_ requester: String, now: Int64) -> Bool {
        if requesters[requester] == nil, requesters.count >= Self.mostRequesters {
            requesters = requesters.filter { now - $0.value.at < 10_000 }
            guard requesters.count < Self.mostRequesters else { return false }
        }
        var bucket = requesters[requester] ?? Bucket(tokens: Self.perRequester.burst, at: now)
        defer { requesters[requester] = bucket }
        return Self.take(&bucket, Self.perRequester, now: now)
    }

    private static func take(_ bucket: inout Bucket, _ rate: (perSecond: Double, burst: Double), now: Int64) -> Bool {
        bucket.tokens = min(rate.burst, bucket.tokens + Double(max(0, now - bucket.at)) * rate.perSecond / 1_000)
        bucket.at = now
        guard bucket.tokens >= 1 else { return false }
        bucket.tokens -= 1
        return true
    }
}
