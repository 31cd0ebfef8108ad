import Inventory
import MQTT
import Outbox

/// Stored events as MQTT messages: one event as it is, a run as a JSON array (CloudEvents batch format).
enum EventMessages {
    static func message(_ events: ArraySlice<StoredEvent>, topic: String, properties: Bool) -> Message {
        guard events.count > 1 else { return single(events[events.startIndex], topic: topic, properties: properties) }
        var payload: [UInt8] = []
        payload.reserveCapacity(events.reduce(2) { $0 + $1.payload.count + 1 })
        for event in events {
            payload.append(payload.isEmpty ? UInt8(ascii: "[") : UInt8(ascii: ","))
            payload.append(contentsOf: event.payload)
        }
        payload.append(UInt8(ascii: "]"))
        return Message(
            topic: topic, payload: payload, retain: false,
            contentType: "application/cloudevents-batch+json; charset=utf-8", userProperties: [])
    }

    private static func single(_ event: StoredEvent, topic: String, properties: Bool) -> Message {
        let copies = properties ? userProperties(event) : []
        return Message(
            topic: topic, payload: event.payload, retain: false,
            contentType: "application/cloudevents+json; charset=utf-8", userProperties: copies)
    }

    private static func userProperties(_ event: StoredEvent) -> [(String, String)] {
        [("sequence", paddedSequence(event.sequence)), ("lane", event.lane.name)]
    }

    private static func paddedSequence(_ sequence: Int64) -> String {
        let digits = String(sequence)
        return String(repeating: "0", count: max(0, 19 - digits.count)) + digits
    }
}
