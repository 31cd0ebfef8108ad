/// What the messages of one kind share: topic, content type, the names of user properties. Made once for many messages,
/// so that sending one of them allocates nothing of its own.
package struct MessageForm: Sendable {
    struct Property: Sendable {
        let name: [CChar]
        /// With its closing NUL; empty text is left out of the message.
        var value: [CChar]
        var isEmpty: Bool { value.count <= 1 }
    }

    let topic: [CChar]
    let contentType: [CChar]
    private(set) var properties: [Property]
    private let fixedBytes: Int

    /// User properties with the values they begin with.
    package init(topic: String, contentType: String, userProperties: [(name: String, value: String)] = []) {
        self.topic = Array(topic.utf8CString)
        self.contentType = Array(contentType.utf8CString)
        properties = userProperties.map {
            Property(name: Array($0.name.utf8CString), value: Array($0.value.utf8CString))
        }
        fixedBytes = PacketSize.fixedBytes(topic: topic.utf8.count, contentType: contentType.utf8.count)
    }

    /// Gives a user property another value: UTF-8 without NUL; an empty one leaves the property out.
    package mutating func setProperty(_ index: Int, _ bytes: UnsafeRawBufferPointer) {
        properties[index].value.removeAll(keepingCapacity: true)
        for byte in bytes { properties[index].value.append(CChar(bitPattern: byte)) }
        properties[index].value.append(0)
    }

    /// An upper bound of the packet's size with a payload of so many bytes.
    func packetBytes(payload: Int, withProperties: Bool) -> Int {
        guard withProperties else { return fixedBytes + payload }
        return properties.reduce(fixedBytes + payload) {
            $0 + PacketSize.property(name: $1.name.count - 1, value: $1.value.count - 1)
        }
    }
}

/// An upper bound of a PUBLISH's size: libmosquitto 2.0.11 aborts the process when a packet is a byte over the limit.
package enum PacketSize {
    private static let slack = 64

    package static func bytes(of message: Message) -> Int {
        let properties = message.userProperties.reduce(0) {
            $0 + property(name: $1.0.utf8.count, value: $1.1.utf8.count)
        }
        let request = (message.responseTopic.map { $0.utf8.count + 3 } ?? 0) + message.correlation.count + 8
        return fixedBytes(topic: message.topic.utf8.count, contentType: message.contentType?.utf8.count ?? 0)
            + message.payload.count + properties + request
    }

    static func fixedBytes(topic: Int, contentType: Int) -> Int { 5 + topic + 2 + contentType + 3 + slack }

    static func property(name: Int, value: Int) -> Int { name + value + 5 }
}
