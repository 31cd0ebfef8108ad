import Inventory

/// Decides when a source gives so many rejects that reading on would only make more of them: half of the last 1,000
/// records, or more than 10,000 open ones.
struct SourceHold {
    /// 1 where the record was rejected; a ring.
    private var recent = [Bool](repeating: false, count: window)
    private var next = 0
    private var seen = 0
    private var rejected = 0
    private var openRejects: Int64 = 0

    static let window = 1_000
    static let mostOpen: Int64 = 10_000

    mutating func note(_ records: [CapturedRecord]) {
        for record in records {
            let isReject = if case .reject = record.outcome { true } else { false }
            rejected += (isReject ? 1 : 0) - (recent[next] ? 1 : 0)
            recent[next] = isReject
            next = (next + 1) % Self.window
            seen = min(seen + 1, Self.window)
        }
    }

    mutating func note(openRejects: Int64) { self.openRejects = openRejects }

    /// Another mapping deserves another chance.
    mutating func forgive() {
        let open = openRejects
        self = SourceHold()
        openRejects = open
    }

    /// Why nothing is read, in words; nil while all is well.
    var reason: String? {
        if openRejects > Self.mostOpen {
            return "held: \(openRejects) rejects are open; retry or discard some (waybill rejects)"
        }
        if seen == Self.window, rejected * 2 >= Self.window {
            return "held: \(rejected) of the last \(Self.window) records were rejected; mend the mapping, then reload"
        }
        return nil
    }
}
