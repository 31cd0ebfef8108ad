import Inventory
import Outbox

/// A lane's queue with the page of stored events read ahead of it.
struct LaneFeed {
    var queue: LaneQueue
    /// How often in a row the broker refused what is at the head; all that it refuses of one window counts once.
    var failures = 0
    /// How often the event of a sequence was made smaller, and was still too large.
    private var skips: (sequence: Int64, count: Int) = (0, 0)
    private var page: ArraySlice<StoredEvent> = []

    private let epoch: Epoch

    init(lane: Lane, epoch: Epoch, watermark: Int64) {
        queue = LaneQueue(lane: lane, watermark: watermark)
        self.epoch = epoch
    }

    /// Counts one more skip of an event; how many there were before.
    mutating func countSkip(_ sequence: Int64) -> Int {
        if skips.sequence != sequence { skips = (sequence, 0) }
        defer { skips.count += 1 }
        return skips.count
    }

    /// Forgets what was read ahead; the next read begins at the queue's next sequence.
    mutating func rewind() { page = [] }

    /// The next run to send: at most `events` and `bytes`, always at least one event. Asked for below the lane's head alone;
    /// throws `MissingEvent` where the outbox does not hold it.
    mutating func nextRun(events: Int, bytes: Int, reader: OutboxReader) throws -> ArraySlice<StoredEvent> {
        try fill(reader: reader)
        guard let first = page.first else { return [] }
        var end = page.startIndex + 1
        var size = first.payload.count + 2
        while end < page.endIndex, end - page.startIndex < events {
            size += page[end].payload.count + 1
            if size > bytes { break }
            end += 1
        }
        return page[page.startIndex..<end]
    }

    /// The run went out.
    mutating func sent(_ run: Run) {
        queue.sent(run)
        page = page.dropFirst(Int(run.count))
    }

    private mutating func fill(reader: OutboxReader) throws {
        if let first = page.first, first.sequence == queue.next { return }
        page = []
        // Of this epoch alone: while a later one is being begun, the file holds events of both.
        let events = try reader.page(lane: queue.lane, of: epoch, after: queue.next - 1)
        let whole = events.indices.prefix { events[$0].sequence == queue.next + Int64($0) }
        guard !whole.isEmpty else { throw MissingEvent(lane: queue.lane, sequence: queue.next) }
        page = events[whole]
    }
}

/// The outbox does not hold an event that it gave a sequence to: it is moving into a new epoch just now, or damaged.
struct MissingEvent: Error, CustomStringConvertible {
    let lane: Lane
    let sequence: Int64

    var description: String {
        "\(lane.name) \(sequence) is not there; if a new epoch is not being begun just now, run waybill outbox verify"
    }
}
