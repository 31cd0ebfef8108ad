/// One broker of the list.
package struct BrokerAddress: Sendable, Equatable {
    package let host: String
    package let port: Int32
    package let usesTLS: Bool

    /// Reads `mqtt://host[:1883]` and `mqtts://host[:8883]`; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1].isEmpty, parts[0] == "mqtt:" || parts[0] == "mqtts:" else { return nil }
        usesTLS = parts[0] == "mqtts:"
        let place = parts[2].split(separator: ":", omittingEmptySubsequences: false)
        guard (1...2).contains(place.count), let name = place.first, !name.isEmpty else { return nil }
        guard let number = place.count == 2 ? Int32(place[1]) : (usesTLS ? 8883 : 1883), (1...65535).contains(number)
        else { return nil }
        host = String(name)
        port = number
    }
}

package struct MQTTOptions: Sendable {
    package enum Version: String, Sendable {
        case v5 = "5"
        case v311 = "3.1.1"
    }

    package var brokers: [BrokerAddress]
    package var clientID: String
    package var version = Version.v5
    /// False keeps the broker's session (for subscribers); an agent always begins clean.
    package var isCleanStart = true
    /// How long the broker keeps a session that is not clean.
    package var sessionExpirySeconds: UInt32 = 86_400
    package var username: String?
    package var password: String?
    package var caFile = "/etc/ssl/certs/ca-certificates.crt"
    package var certificateFile: String?
    package var keyFile: String?
    /// Seconds; 0 or at least 5.
    package var keepAlive: Int32 = 30
    package var window = 100
    /// Used where the broker names no maximum.
    package var maxPacketBytes = 256 * 1024
    package var ackTimeout: Int64 = 30_000
    package var connectDeadline: Int64 = 15_000
    package var backoffMin: Int64 = 500
    package var backoffMax: Int64 = 120_000

    package init(brokers: [BrokerAddress], clientID: String) {
        self.brokers = brokers
        self.clientID = clientID
    }
}

package struct Message: Sendable {
    package var topic: String
    package var payload: [UInt8]
    package var retain: Bool
    package var contentType: String?
    package var userProperties: [(String, String)]
    /// For a Will only, in seconds.
    package var willDelaySeconds: UInt32?
    /// Where an answer is to go, and what it is to carry (MQTT 5).
    package var responseTopic: String?
    package var correlation: [UInt8] = []
    /// After so many seconds a broker that could not deliver it drops it (MQTT 5). Never set on events.
    package var expirySeconds: UInt32?

    package init(
        topic: String, payload: [UInt8], retain: Bool, contentType: String?, userProperties: [(String, String)]
    ) {
        self.topic = topic
        self.payload = payload
        self.retain = retain
        self.contentType = contentType
        self.userProperties = userProperties
    }
}

package struct InboundMessage: Sendable {
    package let topic: String
    package let payload: [UInt8]
    package let isRetained: Bool
    package var responseTopic: String?
    /// At most 65,535 bytes; empty where there is none.
    package var correlation: [UInt8] = []

    package init(
        topic: String, payload: [UInt8], isRetained: Bool, responseTopic: String? = nil, correlation: [UInt8] = []
    ) {
        self.topic = topic
        self.payload = payload
        self.isRetained = isRetained
        self.responseTopic = responseTopic
        self.correlation = correlation
    }
}

package struct ConnectionLoss: Sendable {
    /// The broker's refusal will not go away by itself: wait long.
    package let isRefusal: Bool
    package let words: String
    /// What a DISCONNECT of the broker gave as its reason (MQTT 5, section 3.14.2.1).
    package var reason: UInt8?
    /// This side chose to leave.
    package var isOurs = false

    package init(isRefusal: Bool, words: String, reason: UInt8? = nil, isOurs: Bool = false) {
        self.isRefusal = isRefusal
        self.words = words
        self.reason = reason
        self.isOurs = isOurs
    }
}

package enum ConnectDecision: Sendable {
    case connect(clientIDSuffix: String, will: Message?)
    case wait(milliseconds: Int64)
}

package enum PublishOutcome: Sendable { case sent, tooLarge, lost }
