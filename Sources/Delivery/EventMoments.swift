import Glibc
import Inventory
import Outbox

/// When an event happened in the WMS and when it was captured, in milliseconds since 1970.
struct EventMoments: Equatable {
    var occurred: Int64
    var captured: Int64

    /// Both stand near the end of an encoded event, in this order and in a form of fixed width; a quote within a JSON text is
    /// escaped, so the names with their quotes are found as members only. Nil for a tombstone, which has neither.
    init?(payload: UnsafeRawBufferPointer) {
        var rest = UnsafeRawBufferPointer(rebasing: payload.suffix(Self.window))
        guard let occurred = Self.moment(after: "\"occurred_at\":\"", in: &rest),
            let captured = Self.moment(after: "\"captured_at\":\"", in: &rest)
        else { return nil }
        (self.occurred, self.captured) = (occurred, captured)
    }

    private static let window = 256
    private static let momentWidth = 24

    /// Moves `bytes` on behind what it found.
    private static func moment(after name: StaticString, in bytes: inout UnsafeRawBufferPointer) -> Int64? {
        let width = name.utf8CodeUnitCount
        guard let base = bytes.baseAddress, bytes.count >= width + momentWidth else { return nil }
        let places = 0...(bytes.count - width - momentWidth)
        let quote = UInt8(ascii: "\"")
        guard
            let found = places.first(where: { bytes[$0] == quote && memcmp(base + $0, name.utf8Start, width) == 0 })
        else { return nil }
        let text = UnsafeRawBufferPointer(start: base + found + width, count: momentWidth)
        bytes = UnsafeRawBufferPointer(rebasing: bytes[(found + width + momentWidth)...])
        func number(_ place: Int, _ digits: Int) -> Int {
            (place..<place + digits).reduce(0) { $0 * 10 + Int(text[$1]) - 0x30 }
        }
        return Timestamp(
            year: number(0, 4), month: number(5, 2), day: number(8, 2), hour: number(11, 2), minute: number(14, 2),
            second: number(17, 2), millisecond: number(20, 3)
        ).milliseconds
    }
}

/// The moments of what was sent of one lane and is not acked, by sequence.
struct SentMoments {
    /// From `start` on; nil where an event tells none: a gap in the figures, not in the events.
    private var moments: [EventMoments?] = []
    private var start = 0
    /// The sequence of the moment at `start`.
    private var first: Int64 = 1
    private static let mostStale = 4_096

    /// In the order of sequences, but for what is sent again: it takes the place of all from there on.
    mutating func sent(_ events: ArraySlice<StoredEvent>) {
        guard let next = events.first?.sequence else { return }
        if next < first || next > first + Int64(moments.count - start) {
            moments.removeAll(keepingCapacity: true)
            (start, first) = (0, next)
        }
        moments.removeLast(moments.count - start - Int(next - first))
        for event in events { moments.append(event.payload.withUnsafeBytes { EventMoments(payload: $0) }) }
    }

    /// Those up to a watermark, which are forgotten with it.
    mutating func take(through watermark: Int64) -> [EventMoments] {
        let end = min(moments.count, start + max(0, Int(watermark - first + 1)))
        let taken = moments[start..<end].compactMap { $0 }
        first += Int64(end - start)
        start = end
        if start >= Self.mostStale || start == moments.count {
            moments.removeFirst(start)
            start = 0
        }
        return taken
    }
}
