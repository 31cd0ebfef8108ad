/// What a handler may do with the connection, on the session's thread only.
package final class SessionPort {
    private let handle: Handle
    private let options: MQTTOptions
    private let now: () -> Int64
    private(set) var window: Window
    package let maxPacketBytes: Int
    private var flight = InFlight()
    private(set) var failure: String?
    /// The handler wants its next turn within so many milliseconds; 250 by default.
    package var longestWait: Int64 = 250
    /// The end is ours: a DISCONNECT is owed, or the broker would publish the Will.
    private(set) var isLeaving = false

    init(
        handle: Handle, options: MQTTOptions, receiveMaximum: Int?, maxPacket: Int?, windowStart: Int,
        now: @escaping () -> Int64
    ) {
        self.handle = handle
        self.options = options
        self.now = now
        window = Window(configured: options.window, receiveMaximum: receiveMaximum, start: windowStart)
        maxPacketBytes = min(maxPacket ?? options.maxPacketBytes, 64 << 20)
    }

    /// A broker that answers all but the oldest gets no more than this ahead of it.
    private static let longestSpan = 1_000

    package var hasRoom: Bool { failure == nil && window.hasRoom && flight.span < Self.longestSpan }
    package var supportsProperties: Bool { options.version == .v5 }
    package var inFlight: Int { window.count }
    /// How many messages may be in flight just now.
    package var windowSize: Int { window.size }

    /// QoS 1. `lost` means that the connection is over; what was in flight is unknown.
    package func publish(_ message: Message, token: UInt64) -> PublishOutcome {
        send(bytes: PacketSize.bytes(of: message), token: token, at: now()) { handle.publish(message) }
    }

    /// QoS 1, not retained: a form's message at this monotonic millisecond.
    package func publish(
        _ form: MessageForm, payload: UnsafeRawBufferPointer, token: UInt64, at moment: Int64
    ) -> PublishOutcome {
        let size = form.packetBytes(payload: payload.count, withProperties: supportsProperties)
        return send(bytes: size, token: token, at: moment) { handle.publish(form, payload: payload) }
    }

    @inline(__always)
    private func send(
        bytes size: Int, token: UInt64, at moment: Int64, _ publish: () -> Result<Int32, MosquittoCode>
    ) -> PublishOutcome {
        guard failure == nil else { return .lost }
        guard size <= maxPacketBytes else { return .tooLarge }
        switch publish() {
        case .failure(let error):
            failure = "cannot publish: \(error.words)"
            return .lost
        case .success(let mid):
            guard !flight.holds(mid) else {
                failure = "packet id \(mid) is still in flight"
                return .lost
            }
            flight.sent(InFlight.Entry(mid: mid, token: token, bytes: size, at: moment))
            window.sent(bytes: size)
            return .sent
        }
    }

    /// One SUBACK answers all topics.
    package func subscribe(_ topics: [String]) {
        guard failure == nil else { return }
        let code = handle.subscribe(topics)
        if code != 0 { failure = "cannot subscribe: \(MosquittoCode(code: code).words)" }
    }

    /// Ends this connection; the session connects again.
    package func disconnect(reason: String) {
        guard failure == nil else { return }
        failure = reason
        isLeaving = true
    }

    package func halveWindow() { window.halve() }

    /// The token of an answered message; nil for a packet id that is not in flight.
    func answered(_ mid: Int32, reason: UInt8) -> UInt64? {
        guard let entry = flight.take(mid) else { return nil }
        window.answered(bytes: entry.bytes, isClean: reason < 0x80)
        return entry.token
    }

    /// Whether the oldest un-acked message waits longer than allowed.
    func isOverdue(now: Int64) -> Bool {
        guard let oldest = flight.oldest else { return false }
        return now - oldest.at > options.ackTimeout
    }
}
