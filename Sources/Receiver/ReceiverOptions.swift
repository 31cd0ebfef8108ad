import Inventory
package import MQTT

/// What a receiver follows, as whom, and what it keeps.
package struct ReceiverOptions: Sendable {
    package enum Sites: Sendable, Equatable {
        case all
        case one(String)
        case shards(ClosedRange<UInt8>)
    }

    package var mqtt: MQTTOptions
    package var tenant: String
    package var sites = Sites.all
    package var path: String
    package var requester: String
    /// Milliseconds; nil: payloads are not kept once they are printed.
    package var keepEvents: Int64?
    package var receiptsEvery: Int64 = 1_000
    /// Milliseconds.
    package var receiptsMax: Int64 = 5_000
    package var signingKey: String?
    package var programVersion: String
    /// Each event once, in order of its lane: after the commit that made it durable. False: it was not taken, and the
    /// receiver stops; it comes again at the next start.
    package var output: (@Sendable ([UInt8]) -> Bool)?
    /// What an operator should know, each thing once.
    package var notice: @Sendable (String) -> Void = { _ in }
    /// How long between two walks down the trees of a site, in milliseconds.
    package var descentInterval: Int64 = 3_600_000

    package init(mqtt: MQTTOptions, tenant: String, path: String, requester: String, programVersion: String) {
        self.mqtt = mqtt
        self.tenant = tenant
        self.path = path
        self.requester = requester
        self.programVersion = programVersion
    }

    /// Whether a site is to be followed.
    func follows(_ site: SiteIdentity) -> Bool {
        guard site.tenant == tenant else { return false }
        switch sites {
        case .all: return true
        case .one(let name): return site.site == name
        case .shards(let range): return UInt8(site.shard, radix: 16).map(range.contains) ?? false
        }
    }

    /// What is subscribed to.
    var topicFilters: [String] {
        let places: [String]
        switch sites {
        case .all: places = ["+/\(tenant)/+"]
        case .one(let name):
            places = SiteIdentity(tenant: tenant, site: name).map { ["\($0.shard)/\(tenant)/\(name)"] } ?? []
        case .shards(let range):
            places = range.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) + "/\(tenant)/+" }
        }
        return places.flatMap { place in
            ["ev/+", "state", "beacon", "meta", "rep/\(requester)"].map { "waybill/v1/\(place)/\($0)" }
        }
    }
}

/// What a receiver did so far with a site, for people and tests.
package struct SiteCounts: Sendable, Equatable {
    package var received: Int64 = 0
    /// Sequences that had come before.
    package var redelivered: Int64 = 0
    /// Of them, those that came by a replay that was asked for.
    package var repaired: Int64 = 0
    /// Events of a new epoch that were known from an earlier one.
    package var known: Int64 = 0
    package var gaps = 0
    package var lost: Int64 = 0
    package var epochs = 0
    package var snapshots = 0
    package var descents = 0
    package var drift = 0
    package var forks = 0
    package var malformed = 0
    /// Bytes of walks down the trees and of the leaves that were resynced after them.
    package var repairBytes = 0

    package init() {}
}
