import FoundationEssentials
import Inventory

// The three retained messages of a site: presence, progress and birth certificate (docs/protocol.md, section 6).

package struct StateAnnouncement: Codable, Sendable, Equatable {
    package var v = 1
    package var state: String
    package var session: String
    package var instance: String
    package var agent: String?
    package var at: String?
    package var reason: String?

    package init(
        state: String, session: String, instance: String, agent: String? = nil, at: String? = nil, reason: String? = nil
    ) {
        self.state = state
        self.session = session
        self.instance = instance
        self.agent = agent
        self.at = at
        self.reason = reason
    }
}

package struct BeaconAnnouncement: Codable, Sendable, Equatable {
    package struct LaneLine: Codable, Sendable, Equatable {
        package var name: String
        package var epoch: String
        package var head: Int64
        package var acked: Int64
        /// The oldest sequence that can be replayed; 0 when there is none.
        package var oldest: Int64
        package var backlog: Int64
        /// About: from the size of the oldest events that wait.
        package var backlogBytes: Int64
        package var oldestUnackedAge: Int64

        enum CodingKeys: String, CodingKey {
            case name, epoch, head, acked, oldest, backlog
            case backlogBytes = "backlog_bytes"
            case oldestUnackedAge = "oldest_unacked_age_ms"
        }
    }

    package struct SourceLine: Codable, Sendable, Equatable {
        package var name: String
        package var status: String
        package var position: String?

        package init(name: String, status: String, position: String?) {
            self.name = name
            self.status = status
            self.position = position
        }
    }

    package var v = 1
    package var n: Int64
    package var session: String
    package var instance: String
    package var at: String
    package var epoch: String
    package var lanes: [LaneLine]
    package var sources: [SourceLine]
    package var health: String
    package var reasons: [String]
}

package struct MetaAnnouncement: Codable, Sendable, Equatable {
    package struct SourceLine: Codable, Sendable, Equatable {
        package var name: String
        package var kind: String
        package var mapping: String

        enum CodingKeys: String, CodingKey {
            case name, kind
            case mapping = "mapping_version"
        }

        package init(name: String, kind: String, mapping: String) {
            self.name = name
            self.kind = kind
            self.mapping = mapping
        }
    }

    /// The epoch before this one: what a consumer lacks of it up to these heads it asks for by `replay`.
    package struct Previous: Codable, Sendable, Equatable {
        package var epoch: String
        package var heads: [String: Int64]
    }

    package struct Limits: Codable, Sendable, Equatable {
        package var maxPacket: Int
        package var batchEvents: Int
        package var batchBytes: Int
        package var outboxBytes: Int64

        enum CodingKeys: String, CodingKey {
            case maxPacket = "max_packet"
            case batchEvents = "batch_events"
            case batchBytes = "batch_bytes"
            case outboxBytes = "outbox_bytes"
        }
    }

    /// How long acked events, and the identities of records, are kept.
    package struct Retention: Codable, Sendable, Equatable {
        package var milliseconds: Int64
        package var bytes: Int64
        package var seenDays: Int64

        enum CodingKeys: String, CodingKey {
            case milliseconds = "ms"
            case bytes
            case seenDays = "seen_days"
        }
    }

    package var v = 1
    package var agent: String
    package var instance: String
    package var epoch: String
    package var previous: Previous?
    package var lanes: [String]
    package var sources: [SourceLine]
    package var schemas: [String]
    package var limits: Limits
    package var retention: Retention
    package var timeZone: String

    enum CodingKeys: String, CodingKey {
        case v, agent, instance, epoch, previous, lanes, sources, schemas, limits, retention
        case timeZone = "time_zone"
    }
}

/// One JSON object with sorted keys.
func announcementBytes(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return [UInt8](try encoder.encode(value))
}

func readAnnouncement<T: Decodable>(_ type: T.Type, from bytes: [UInt8]) -> T? {
    try? JSONDecoder().decode(type, from: Data(bytes))
}
