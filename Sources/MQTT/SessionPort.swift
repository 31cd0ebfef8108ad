/// What a handler may do with the connection, on the session's thread only.
package final class SessionPort {
    private let handle: Handle
    private let options: MQTTOptions
    private let now: () -> Int64
    private(set) var window: Window
    package let maxPacketBytes: Int
    /// In flight by packet id.
    private var slots: [Int32: (token: UInt64, bytes: Int, at: Int64)] = [:]
    /// Packet ids in the order of sending, for the ack timer.
    private var order: [Int32] = []
    private(set) var failure: String?
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

    package var hasRoom: Bool { failure == nil && window.hasRoom }
    package var supportsProperties: Bool { options.version == .v5 }
    package var inFlight: Int { window.count }

    /// QoS 1. `lost` means that the connection is over; what was in flight is unknown.
    package func publish(_ message: Message, token: UInt64) -> PublishOutcome {
        guard failure == nil else { return .lost }
        let size = PacketSize.bytes(of: message)
        guard size <= maxPacketBytes else { return .tooLarge }
        switch handle.publish(message) {
        case .failure(let error):
            failure = "cannot publish: \(error.words)"
            return .lost
        case .success(let mid):
            guard slots[mid] == nil else {
                failure = "packet id \(mid) is still in flight"
                return .lost
            }
            slots[mid] = (token, size, now())
            order.append(mid)
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

    func takeSlot(_ mid: Int32) -> UInt64? {
        guard let slot = slots.removeValue(forKey: mid) else { return nil }
        window.acked(bytes: slot.bytes)
        if order.first == mid { order.removeFirst() } else { order.removeAll { $0 == mid } }
        return slot.token
    }

    /// Whether the oldest un-acked message waits longer than allowed.
    func isOverdue(now: Int64) -> Bool {
        guard let mid = order.first, let slot = slots[mid] else { return false }
        return now - slot.at > options.ackTimeout
    }
}

/// An upper bound of a PUBLISH's size: libmosquitto 2.0.11 aborts the process when a packet is a byte over the limit.
package enum PacketSize {
    package static func bytes(of message: Message) -> Int {
        let properties = message.userProperties.reduce((message.contentType?.utf8.count ?? 0) + 3) {
            $0 + $1.0.utf8.count + $1.1.utf8.count + 5
        }
        return 5 + message.topic.utf8.count + 2 + message.payload.count + properties + 64
    }
}
