import Glibc
import Inventory
import MQTT
import Outbox

/// Stored events as MQTT messages: one event as it is, a run as a JSON array (CloudEvents batch format). Of one lane and
/// one epoch; what is the same in all messages is made once.
struct EventMessages {
    private var single: MessageForm
    private let batch: MessageForm
    private var array: [UInt8] = []

    /// Where the user properties stand that differ from event to event.
    private static let (sequence, traceparent) = (0, 3)
    /// Bytes; version 00 of the W3C trace context has 55.
    private static let longestTraceparent = 64

    static let contentType = "application/cloudevents+json; charset=utf-8"
    static let batchContentType = "application/cloudevents-batch+json; charset=utf-8"

    init(topic: String, lane: Lane, epoch: Epoch) {
        single = MessageForm(
            topic: topic, contentType: Self.contentType,
            userProperties: [("sequence", ""), ("epoch", epoch.text), ("lane", lane.name), ("traceparent", "")])
        batch = MessageForm(topic: topic, contentType: Self.batchContentType)
    }

    mutating func publish(
        _ events: ArraySlice<StoredEvent>, to port: SessionPort, token: UInt64, at moment: Int64
    ) -> PublishOutcome {
        if events.count > 1 { return publishArray(events, to: port, token: token, at: moment) }
        guard let event = events.first else { return .sent }
        return event.payload.withUnsafeBytes { payload in
            if port.supportsProperties { copyAttributes(event.sequence, payload) }
            return port.publish(single, payload: payload, token: token, at: moment)
        }
    }

    private mutating func publishArray(
        _ events: ArraySlice<StoredEvent>, to port: SessionPort, token: UInt64, at moment: Int64
    ) -> PublishOutcome {
        array.removeAll(keepingCapacity: true)
        for event in events {
            array.append(array.isEmpty ? UInt8(ascii: "[") : UInt8(ascii: ","))
            array.append(contentsOf: event.payload)
        }
        array.append(UInt8(ascii: "]"))
        return array.withUnsafeBytes { port.publish(batch, payload: $0, token: token, at: moment) }
    }

    /// Copies for whoever routes without reading the payload, which is the truth.
    private mutating func copyAttributes(_ sequence: Int64, _ payload: UnsafeRawBufferPointer) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 19) { digits in
            var rest = sequence
            for index in (0..<19).reversed() {
                digits.initializeElement(at: index, to: UInt8(ascii: "0") + UInt8(rest % 10))
                rest /= 10
            }
            single.setProperty(Self.sequence, UnsafeRawBufferPointer(digits))
        }
        single.setProperty(Self.traceparent, Self.traceparent(of: payload))
    }

    /// The attribute's text; empty where there is none, as in a tombstone. A quote inside a JSON text is escaped, so the
    /// name with its quotes is found as a member only.
    static func traceparent(of payload: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let name: StaticString = "\"traceparent\":\""
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        guard let base = payload.baseAddress else { return none }
        var place = 0
        while let quote = memchr(base + place, Int32(UInt8(ascii: "\"")), payload.count - place) {
            place = UnsafeRawPointer(quote) - base + 1
            let start = place - 1 + name.utf8CodeUnitCount
            guard start < payload.count else { return none }
            guard payload[place] == UInt8(ascii: "t"), memcmp(quote, name.utf8Start, name.utf8CodeUnitCount) == 0
            else { continue }
            let end = payload[start...].firstIndex(of: UInt8(ascii: "\"")) ?? start
            return end - start <= Self.longestTraceparent
                ? UnsafeRawBufferPointer(rebasing: payload[start..<end]) : none
        }
        return none
    }
}
