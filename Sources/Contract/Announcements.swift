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
        /// Up to here a consumer said that it has the events durably; absent while none did.
        package var receipted: Int64?

        enum CodingKeys: String, CodingKey {
            case name, epoch, head, acked, oldest, backlog, receipted
            case backlogBytes = "backlog_bytes"
            case oldestUnackedAge = "oldest_unacked_age_ms"
        }

        package init(
            name: String, epoch: String, head: Int64, acked: Int64, oldest: Int64, backlog: Int64,
            backlogBytes: Int64, oldestUnackedAge: Int64, receipted: Int64? = nil
        ) {
            self.name = name
            self.epoch = epoch
            self.head = head
            self.acked = acked
            self.oldest = oldest
            self.backlog = backlog
            self.backlogBytes = backlogBytes
            self.oldestUnackedAge = oldestUnackedAge
            self.receipted = receipted
        }
    }

    package struct SourceLine: Codable, Sendable, Equatable {
        package var name: String
        package var status: String
        package var position: String?
        /// How long the source has had more than was read; 0 when it is caught up.
        package var lag: Int64?

        enum CodingKeys: String, CodingKey {
            case name, status, position
            case lag = "lag_ms"
        }

        package init(name: String, status: String, position: String?, lag: Int64? = nil) {
            self.name = name
            self.status = status
            self.position = position
            self.lag = lag
        }
    }

    package var v = 1
    package var n: Int64
    package var session: String
    package var instance: String
    package var at: String
    package var epoch: String
    /// The root of the stock's hash tree, of the same commit as the heads; absent until it is built.
    package var tree: String?
    package var lanes: [LaneLine]
    package var sources: [SourceLine]
    package var health: String
    package var reasons: [String]

    package init(
        n: Int64, session: String, instance: String, at: String, epoch: String, tree: String?, lanes: [LaneLine],
        sources: [SourceLine], health: String, reasons: [String]
    ) {
        self.n = n
        self.session = session
        self.instance = instance
        self.at = at
        self.epoch = epoch
        self.tree = tree
        self.lanes = lanes
        self.sources = sources
        self.health = health
        self.reasons = reasons
    }
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

        package init(epoch: String, heads: [String: Int64]) {
            self.epoch = epoch
            self.heads = heads
        }
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

        package init(maxPacket: Int, batchEvents: Int, batchBytes: Int, outboxBytes: Int64) {
            self.maxPacket = maxPacket
            self.batchEvents = batchEvents
            self.batchBytes = batchBytes
            self.outboxBytes = outboxBytes
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

        package init(milliseconds: Int64, bytes: Int64, seenDays: Int64) {
            self.milliseconds = milliseconds
            self.bytes = bytes
            self.seenDays = seenDays
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

    package init(
        agent: String, instance: String, epoch: String, previous: Previous?, lanes: [String], sources: [SourceLine],
        schemas: [String], limits: Limits, retention: Retention, timeZone: String
    ) {
        self.agent = agent
        self.instance = instance
        self.epoch = epoch
        self.previous = previous
        self.lanes = lanes
        self.sources = sources
        self.schemas = schemas
        self.limits = limits
        self.retention = retention
        self.timeZone = timeZone
    }
}

/// One JSON object with sorted keys.
package func wireBytes(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return [UInt8](try encoder.encode(value))
}

/// Nil for what is not of that form.
package func readWire<T: Decodable>(_ type: T.Type, from bytes: [UInt8]) -> T? {
    try? JSONDecoder().decode(type, from: Data(bytes))
}
