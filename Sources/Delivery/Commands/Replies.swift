import Contract
import Inventory
import MQTT

/// Answers that wait for room, and what is in flight of them and of repairs: at most a quarter of the window, in messages
/// and in bytes, so that live events go first.
struct Replies {
    struct Flight {
        /// The repair that the message belongs to.
        var job: Int64?
        var bytes: Int
        /// What a technician's repair has behind it once this is acked.
        var confirms: RepairJob.Place?
    }

    private(set) var waiting: [Message] = []
    private var flights: [UInt64: Flight] = [:]
    private var bytesInFlight = 0
    private var serial: UInt64 = 0

    /// What answers to these messages carry; no event's token and no announcement's has this bit.
    static let token: UInt64 = 1 << 62
    static let mostWaiting = 1_000
    private static let mostBytes = 256 * 1_024

    var isIdle: Bool { flights.isEmpty }

    /// False: too many wait, it is dropped.
    mutating func add(_ message: Message) -> Bool {
        guard waiting.count < Self.mostWaiting else { return false }
        waiting.append(message)
        return true
    }

    func hasRoom(window: Int) -> Bool { flights.count < max(1, window / 4) && bytesInFlight < Self.mostBytes }

    /// Sends the oldest that waits; nil when none does.
    mutating func sendWaiting(_ port: SessionPort) -> PublishOutcome? {
        guard let message = waiting.first else { return nil }
        let outcome = send(message, job: nil, confirms: nil, port)
        if outcome != .lost { waiting.removeFirst() }
        return outcome
    }

    mutating func send(
        _ message: Message, job: Int64?, confirms: RepairJob.Place?, _ port: SessionPort
    ) -> PublishOutcome {
        serial += 1
        let outcome = port.publish(message, token: Self.token | serial)
        guard outcome == .sent else { return outcome }
        flights[serial] = Flight(job: job, bytes: message.payload.count, confirms: confirms)
        bytesInFlight += message.payload.count
        return outcome
    }

    func hasInFlight(_ job: Int64) -> Bool { flights.values.contains { $0.job == job } }

    /// Nil for a token that is none of these messages'.
    mutating func answered(_ token: UInt64) -> Flight? {
        guard token >> 62 == 1, let flight = flights.removeValue(forKey: token & ~Self.token) else { return nil }
        bytesInFlight -= flight.bytes
        return flight
    }

    /// The connection is gone: whoever waits for an answer asks again.
    mutating func lost() {
        waiting = []
        flights = [:]
        bytesInFlight = 0
    }
}
