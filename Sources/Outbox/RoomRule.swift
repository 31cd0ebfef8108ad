/// When reading pauses and when it goes on: at the limit until a tenth of it is free again, below the disk reserve
/// until one and a half times the reserve is free.
package struct RoomRule: Sendable {
    package var limit: Int64
    package var reserve: Int64

    package init(limit: Int64, reserve: Int64) {
        self.limit = limit
        self.reserve = reserve
    }

    package func decide(used: Int64, free: Int64, isPaused: Bool) -> Room {
        let needed = isPaused ? reserve + reserve / 2 : reserve
        if free < needed { return .paused("paused: \(free >> 20) MB free, needs \(needed >> 20)") }
        let allowed = isPaused ? limit - limit / 10 : limit
        if used >= allowed { return .paused("paused: the outbox holds \(used >> 20) MB, its limit is \(limit >> 20)") }
        return .open
    }
}
