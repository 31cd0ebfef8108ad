import FoundationEssentials
package import Inventory

// What a consumer or an operator asks of an agent (docs/protocol.md, section 7). Requests travel on `cmd/{verb}`.

package enum CommandVerb: String, Codable, CaseIterable, Sendable {
    case ping, replay, resync, receipt, digest
}

/// Why a command is not done.
package enum RejectionCode: String, Codable, Sendable {
    case unknownEpoch = "UNKNOWN_EPOCH"
    /// With `oldest`.
    case rangePruned = "RANGE_PRUNED"
    /// With `limit`.
    case tooLarge = "TOO_LARGE"
    case busy = "BUSY"
    case denied = "DENIED"
    case stale = "STALE"
    case malformed = "MALFORMED"
    case fork = "FORK"
}

/// A stock key on the wire: what is empty is left out.
package struct WireKey: Codable, Sendable, Hashable {
    package var sku: String
    package var location: String?
    package var lot: String?
    package var owner: String?

    package init(_ key: StockKey) {
        sku = key.sku
        location = key.location.isEmpty ? nil : key.location
        lot = key.lot.isEmpty ? nil : key.lot
        owner = key.owner.isEmpty ? nil : key.owner
    }

    package var key: StockKey {
        StockKey(sku: sku, location: location ?? "", lot: lot ?? "", owner: owner ?? "")
    }
}

/// Where a snapshot goes on, and what its chunks carried so far. A reply's `next` goes back unchanged as `resume`.
package struct SnapshotPlace: Codable, Sendable, Equatable {
    package var after: WireKey
    /// How many keys the chunks before carried.
    package var keys: Int64
    /// The sum of their lines' hashes modulo 2^128, 32 hex digits.
    package var lines: String
    /// The lanes' heads before the first chunk was read, by the lanes' names.
    package var asof: [String: Int64]

    package init(after: WireKey, keys: Int64, lines: String, asof: ByLane<Int64>) {
        self.after = after
        self.keys = keys
        self.lines = lines
        self.asof = Dictionary(uniqueKeysWithValues: Lane.allCases.map { ($0.name, asof[$0]) })
    }

    /// Nil where a lane is missing or its head is none.
    package var heads: ByLane<Int64>? {
        guard Lane.allCases.allSatisfy({ (0...mostSequence).contains(asof[$0.name] ?? -1) }) else { return nil }
        return ByLane { asof[$0.name] ?? 0 }
    }
}

/// A request's JSON. Members that a verb does not know are left out, and ignored when they come.
package struct CommandRequest: Codable, Sendable, Equatable {
    /// A UUID: the same one is the same command.
    package var id: String
    package var requester: String
    package var issuedAt: String
    /// Over MQTT 3.1.1 these stand for the properties.
    package var responseTopic: String?
    package var correlation: String?

    // replay, receipt, resync
    package var lane: String?
    package var epoch: String?
    package var from: Int64?
    package var to: Int64?
    /// Of a replay: `requester` (default) or `lane`.
    package var target: String?
    package var sequence: Int64?
    /// Of a receipt: the id of the event at that sequence.
    package var event: String?

    // resync: prefixes, or one leaf of the hash tree
    package var sku: String?
    package var location: String?
    package var leaf: String?
    package var snapshot: String?
    package var resume: SnapshotPlace?

    /// Of a digest: the path of a node, 0 to 4 hex digits.
    package var node: String?

    package init(id: String, requester: String, issuedAt: String) {
        self.id = id
        self.requester = requester
        self.issuedAt = issuedAt
    }

    enum CodingKeys: String, CodingKey {
        case requester, correlation, lane, epoch, from, to, target, sequence, sku, location, leaf, snapshot, resume
        case node
        case id = "cmd_id"
        case event = "id"
        case issuedAt = "issued_at"
        case responseTopic = "response_topic"
    }
}

/// Of a chunk: what it carried, so that a consumer can tell that it has all of it.
package struct SnapshotChunk: Codable, Sendable, Equatable {
    package var first: WireKey
    package var last: WireKey
    package var count: Int
    /// SHA-256 of the chunk's message, as sent: 64 hex digits.
    package var sha256: String
    /// What a resume after this chunk sends as `resume`.
    package var place: SnapshotPlace

    package init(first: WireKey, last: WireKey, count: Int, sha256: String, place: SnapshotPlace) {
        self.first = first
        self.last = last
        self.count = count
        self.sha256 = sha256
        self.place = place
    }
}

/// What an agent answers on `rep/{requester}`; `cmd_id` tells it from events.
package struct CommandReply: Codable, Sendable, Equatable {
    package enum Status: String, Codable, Sendable { case accepted, progress, done, rejected }

    package struct LaneLine: Codable, Sendable, Equatable {
        package var name: String
        package var head: Int64
        package var acked: Int64
        package var oldest: Int64?

        package init(name: String, head: Int64, acked: Int64, oldest: Int64?) {
            self.name = name
            self.head = head
            self.acked = acked
            self.oldest = oldest
        }
    }

    /// One line of a leaf of the hash tree.
    package struct TreeLine: Codable, Sendable, Equatable {
        package var key: WireKey
        package var version: Int64
        /// The first 128 bits of the line's SHA-256: 32 hex digits.
        package var hash: String

        package init(key: WireKey, version: Int64, hash: String) {
            self.key = key
            self.version = version
            self.hash = hash
        }
    }

    package var v = 1
    package var id: String
    package var verb: String
    package var status: Status
    /// The agent's clock.
    package var at: String
    /// The agent's present epoch.
    package var epoch: String

    // rejected
    package var code: RejectionCode?
    package var message: String?
    package var oldest: Int64?
    package var limit: Int64?

    // ping, digest
    package var agent: String?
    package var instance: String?
    package var session: String?
    package var lanes: [LaneLine]?

    // replay, receipt
    package var lane: String?
    /// The epoch that was asked for.
    package var of: String?
    package var sent: Int64?
    package var last: Int64?
    /// Of a replay that has more: the `from` to ask on with.
    package var next: Int64?
    package var sequence: Int64?

    // resync
    package var snapshot: String?
    package var chunk: SnapshotChunk?
    /// Of a resync that has more.
    package var resume: SnapshotPlace?

    // digest
    package var node: String?
    package var hash: String?
    package var children: [String]?
    package var lines: [TreeLine]?

    package init(id: String, verb: String, status: Status, at: String, epoch: String) {
        self.id = id
        self.verb = verb
        self.status = status
        self.at = at
        self.epoch = epoch
    }

    enum CodingKeys: String, CodingKey {
        case v, verb, status, at, epoch, code, message, oldest, limit, agent, instance, session, lanes, lane, of
        case sent, last, next, sequence, snapshot, chunk, resume, node, hash, children, lines
        case id = "cmd_id"
    }
}
