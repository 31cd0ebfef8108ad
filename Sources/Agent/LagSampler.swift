import Delivery
import Inventory
import Outbox

/// Gathers how far the lanes are behind, and stores the worst of each five minutes for the page's charts.
struct LagSampler {
    private let outbox: Outbox
    private let report: DeliveryReport
    private var worst = ByLane { _ in (backlog: Int64(0), age: Int64(0)) }
    private var nextLook: Int64 = 0
    private var nextStore: Int64

    static let lookInterval: Int64 = 10_000
    static let storeInterval: Int64 = 300_000

    /// `monotonic`: now, in milliseconds.
    init(outbox: Outbox, report: DeliveryReport, monotonic: Int64) {
        self.outbox = outbox
        self.report = report
        nextStore = monotonic + Self.lookInterval
    }

    /// Looks every 10 s and stores every 5 min, for the first time after 10 s; `isLast`: stores what there is.
    mutating func turn(now: Timestamp, monotonic: Int64, isLast: Bool = false) throws {
        guard monotonic >= nextLook || isLast else { return }
        nextLook = monotonic + Self.lookInterval
        try look(now)
        guard monotonic >= nextStore || isLast else { return }
        nextStore = monotonic + Self.storeInterval
        let samples = Lane.allCases.map {
            LagSample(at: now, lane: $0, backlog: worst[$0].backlog, age: worst[$0].age)
        }
        worst = ByLane { _ in (0, 0) }
        try outbox.note(samples, now: now)
    }

    private mutating func look(_ now: Timestamp) throws {
        let progress = outbox.progress
        let slowest = report.figures.takeSlowest()
        var reader: OutboxReader?
        for lane in Lane.allCases {
            let line = progress.lanes[lane]
            var age = slowest[lane]
            if line.head > line.acked {
                let opened = try reader ?? outbox.reader()
                reader = opened
                let oldest = try opened.backlog(of: lane, after: line.acked).capturedAt
                age = max(age, oldest.map { now.milliseconds - $0.milliseconds } ?? 0)
            }
            worst[lane].backlog = max(worst[lane].backlog, line.head - line.acked)
            worst[lane].age = max(worst[lane].age, age)
        }
    }
}
