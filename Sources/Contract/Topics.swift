package import Inventory

/// Sequences are given below 2^44; whoever names another is not believed.
package let mostSequence: Int64 = (1 << 44) - 1

/// The topic names of one site, `waybill/v1/{shard}/{tenant}/{site}/…` (docs/protocol.md, section 2).
package struct Topics: Sendable {
    package let root: String

    package init(site: SiteIdentity) {
        root = "waybill/v1/\(site.shard)/\(site.tenant)/\(site.site)"
    }

    package func events(_ lane: Lane) -> String { "\(root)/ev/\(lane.name)" }
    package var state: String { "\(root)/state" }
    package var beacon: String { "\(root)/beacon" }
    package var meta: String { "\(root)/meta" }
    package func command(_ verb: CommandVerb) -> String { commandPrefix + verb.rawValue }
    package var commandPrefix: String { "\(root)/cmd/" }
    /// What an agent subscribes to.
    package var allCommands: String { "\(root)/cmd/+" }
    package func replies(_ requester: String) -> String { "\(root)/rep/\(requester)" }

    /// The requester that a response topic names; nil unless it is one level below this site's `rep/`, a name without
    /// wildcards.
    package func requester(ofResponseTopic topic: String) -> String? {
        let prefix = "\(root)/rep/"
        guard topic.hasPrefix(prefix) else { return nil }
        let name = String(topic.dropFirst(prefix.count))
        return SiteIdentity.isName(name) ? name : nil
    }
}

/// A topic as a consumer hears it, taken apart.
package struct TopicName: Sendable, Equatable {
    package enum Part: Sendable, Equatable {
        case events(Lane)
        case state, beacon, meta
        case reply(requester: String)
    }

    package let site: SiteIdentity
    package let part: Part

    /// Nil for what no agent of this contract's version publishes, a wrong shard too.
    package init?(_ topic: String) {
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard levels.count == 6 || levels.count == 7, levels[0] == "waybill", levels[1] == "v1",
            let site = SiteIdentity(tenant: levels[3], site: levels[4]), site.shard == levels[2]
        else { return nil }
        self.site = site
        switch (levels[5], levels.count) {
        case ("state", 6): part = .state
        case ("beacon", 6): part = .beacon
        case ("meta", 6): part = .meta
        case ("ev", 7):
            guard let lane = Lane(name: levels[6]) else { return nil }
            part = .events(lane)
        case ("rep", 7):
            guard SiteIdentity.isName(levels[6]) else { return nil }
            part = .reply(requester: levels[6])
        default: return nil
        }
    }
}
