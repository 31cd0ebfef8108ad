import Contract
import Inventory
import MQTT
import Outbox

/// Stored events again, byte for byte, page by page.
struct ReplayJob {
    let lane: Lane
    let epoch: Epoch
    let topic: String
    let isOnLane: Bool
    private(set) var next: Int64
    /// The last sequence of the range that can be had.
    let through: Int64
    private(set) var sent: Int64 = 0
    /// Messages that this request may still have; nil: as many as it takes.
    private var messagesLeft: Int?

    /// One request yields at most so many messages: a default Mosquitto drops what a consumer has waiting beyond 1,000.
    static let messagesARequest = 100
    private static let eventsAMessage: Int64 = 100
    static let bytesAMessage = 96 * 1_024

    init(
        lane: Lane, epoch: Epoch, sequences: ClosedRange<Int64>, acked: Int64, topic: String, isOnLane: Bool,
        isPaged: Bool
    ) {
        self.lane = lane
        self.epoch = epoch
        self.topic = topic
        self.isOnLane = isOnLane
        next = sequences.lowerBound
        through = min(sequences.upperBound, acked)
        messagesLeft = isPaged ? Self.messagesARequest : nil
    }

    var isFinished: Bool { next > through || messagesLeft == 0 }
    /// Where a further request goes on; nil when there is no more.
    var rest: Int64? { next > through ? nil : next }

    /// What comes next, of at most so many bytes; nil when what is asked for is not there any more.
    mutating func message(limitBytes: Int, reader: OutboxReader) throws -> Message? {
        let events = try reader.page(
            lane: lane, of: epoch, after: next - 1, through: through, limit: Self.eventsAMessage)
        guard let first = events.first, first.sequence == next else { return nil }
        var payload: [UInt8] = []
        var count = 0
        for event in events {
            if count > 0, payload.count + event.payload.count + 2 > limitBytes { break }
            payload.append(count == 0 ? UInt8(ascii: "[") : UInt8(ascii: ","))
            payload.append(contentsOf: event.payload)
            count += 1
        }
        payload.append(UInt8(ascii: "]"))
        next += Int64(count)
        sent += Int64(count)
        messagesLeft = messagesLeft.map { $0 - 1 }
        return Message(
            topic: topic, payload: count == 1 ? first.payload : payload, retain: false,
            contentType: count == 1 ? EventMessages.contentType : EventMessages.batchContentType,
            userProperties: [("replay", "1"), ("epoch", epoch.text), ("lane", lane.name)])
    }

    /// The connection is lost: what was not acked goes again.
    mutating func rewind(to sequence: Int64) {
        sent -= next - sequence
        next = sequence
    }
}
