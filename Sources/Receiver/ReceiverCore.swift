import Contract
package import Inventory
package import MQTT

// The receiver without a network: messages in, messages out. What a turn changes stands in one open transaction; what it
// sends and prints goes out after the commit.

package final class ReceiverCore {
    let store: ReceiverStore
    let context: ReceiverContext
    private let options: ReceiverOptions
    private var sites: [SiteIdentity: SiteFollower] = [:]
    private var openSince: Int64?
    private var printed: Int64 = 0
    /// What was printed is not noted in the file yet.
    private var hasUnnotedPrints = false
    private var nextPrune: Int64 = 0
    /// Messages of sites that are not followed, or of no topic of the contract.
    package private(set) var foreign = 0

    private static let mostSites = 10_000
    private static let eagerEvents = 2_000
    private static let gathering: Int64 = 20
    private static let retention: Int64 = 7 * 86_400_000

    package init(_ options: ReceiverOptions) throws {
        self.options = options
        store = try ReceiverStore(path: options.path, programVersion: options.programVersion)
        context = ReceiverContext(store: store, options: options)
        for row in try store.sites() where options.follows(row.identity) {
            sites[row.identity] = try SiteFollower(row, context: context)
        }
        try printRest()
    }

    /// What was committed and not printed when the last run ended.
    private func printRest() throws {
        printed = try store.printed
        guard let output = options.output else { return }
        while case let rest = try store.events(after: printed), let last = rest.last {
            for event in rest { try print(event, output) }
            printed = last.number
            hasUnnotedPrints = true
        }
    }

    // MARK: messages

    /// What came from the broker, at a wall time and a monotonic millisecond. Throws what the file's fault is alone.
    package func take(_ message: InboundMessage, wall: Timestamp, now: Int64) throws {
        (context.wall, context.now) = (wall, now)
        guard let topic = TopicName(message.topic), options.follows(topic.site) else {
            foreign += 1
            return
        }
        // A probe of the access list (docs/protocol.md, 2), or a retained message that was cleared.
        if message.payload.isEmpty { return }
        guard let site = try follower(of: topic.site) else { return }
        switch topic.part {
        case .events: try take(events: message, site, isReplay: false)
        case .meta:
            guard let meta = readWire(MetaAnnouncement.self, from: message.payload) else {
                return try site.malformed("no meta")
            }
            try site.take(meta)
        case .beacon:
            guard let beacon = readWire(BeaconAnnouncement.self, from: message.payload) else {
                return try site.malformed("no beacon")
            }
            try site.take(beacon, isRetained: message.isRetained)
        case .state: if let state = readWire(StateAnnouncement.self, from: message.payload) { site.take(state) }
        case .reply(let requester):
            guard requester == options.requester else { return foreign += 1 }
            if EventReader.isReply(message.payload) {
                guard let reply = readWire(CommandReply.self, from: message.payload) else {
                    return try site.malformed("no reply")
                }
                try site.take(reply, bytes: message.payload.count)
            } else {
                try take(events: message, site, isReplay: true)
            }
        }
        if store.isOpen, openSince == nil { openSince = now }
    }

    private func take(events message: InboundMessage, _ site: SiteFollower, isReplay: Bool) throws {
        let events: [ReceivedEvent]
        do { events = try EventReader.read(message.payload) } catch {
            return try site.malformed("\(message.topic): \(error)")
        }
        if isReplay, events.first?.snapshot != nil { return try site.take(snapshot: events, payload: message.payload) }
        try message.payload.withUnsafeBytes { bytes in
            for event in events {
                try site.take(event, UnsafeRawBufferPointer(rebasing: bytes[event.range]), isReplay: isReplay)
            }
        }
    }

    private func follower(of site: SiteIdentity) throws -> SiteFollower? {
        if let known = sites[site] { return known }
        guard sites.count < Self.mostSites else {
            context.notice("more than \(Self.mostSites) sites; \(site.site) is not followed")
            return nil
        }
        try store.begin()
        let made = try SiteFollower(try store.add(site, retention: Self.retention), context: context)
        sites[site] = made
        return made
    }

    // MARK: turns

    /// Whether a commit is due: enough came, it waited long enough, or nothing more comes just now.
    package func isCommitDue(now: Int64, isQuiet: Bool) -> Bool {
        guard store.isOpen else { return hasUnnotedPrints && isQuiet }
        return isQuiet || context.uncommitted >= Self.eagerEvents || now - (openSince ?? now) >= Self.gathering
    }

    /// Asks what is due and makes all durable; what is to be published now. `asks` false: nothing could be sent.
    package func commit(wall: Timestamp, now: Int64, asks: Bool = true) throws -> [Message] {
        (context.wall, context.now) = (wall, now)
        for site in sites.values { try site.flush() }
        if asks { for site in sites.values { try site.tick() } }
        for site in sites.values { try site.flush() }
        try pruneWhenDue()
        if hasUnnotedPrints {
            try store.begin()
            try store.setPrinted(printed)
            hasUnnotedPrints = false
        }
        try store.commit()
        openSince = nil
        context.uncommitted = 0
        for event in context.takeUnprinted() {
            if let output = options.output { try print(event, output) }
            printed = event.number
            hasUnnotedPrints = true
        }
        return context.takeOutgoing()
    }

    private func print(_ event: (number: Int64, payload: [UInt8]), _ output: ([UInt8]) -> Bool) throws {
        guard output(event.payload) else {
            throw ReceiverError(
                "nobody takes the events any more", hint: "start it again; what was not printed is kept")
        }
    }

    private func pruneWhenDue() throws {
        guard context.now >= nextPrune else { return }
        nextPrune = context.now + 1_000
        try store.begin()
        let retention = sites.values.map(\.row.retention).max() ?? Self.retention
        for site in sites.values { try site.pruneIDs() }
        try store.prune(now: context.wall, keepEvents: options.keepEvents, retention: retention)
    }

    package func lost() { for site in sites.values { site.lost() } }

    /// Within how many milliseconds `commit` should be called again though nothing comes.
    package var nextTurn: Int64 { store.isOpen ? 2 : sites.values.map(\.nextTurn).min() ?? 250 }

    // MARK: looking

    package var counts: [String: SiteCounts] {
        var found: [String: SiteCounts] = [:]
        for (identity, site) in sites { found[identity.site] = site.counts }
        return found
    }

    /// Offsets of the present epoch, by site.
    package var offsets: [String: (epoch: Epoch, last: ByLane<Int64>)] {
        var found: [String: (epoch: Epoch, last: ByLane<Int64>)] = [:]
        for (identity, site) in sites {
            guard let state = site.present else { continue }
            found[identity.site] = (epoch: state.epoch, last: ByLane { state.lanes[$0].follower.last })
        }
        return found
    }

    /// For a check of one run: whether a site has all that its beacon shows, and a walk that ended since.
    package struct Standing: Sendable {
        package var site: String
        package var isLevel: Bool
        package var isSettled: Bool
        package var descentsEnded: Int
        package var drift: [StockKey]
        /// More differs than a walk follows.
        package var isWidelyApart: Bool
        /// Keys that only one side had: another walk decides.
        package var suspects: Int
        package var root: String
        package var agentRoot: String?
    }

    package var standings: [Standing] {
        sites.values.map { site in
            let isLevel = site.beacon.map { beacon in
                beacon.lanes.allSatisfy { line in
                    Lane(name: line.name).map { (site.present?.lanes[$0].follower.last ?? -1) >= line.acked } ?? true
                }
            }
            return Standing(
                site: site.identity.site, isLevel: isLevel ?? false,
                isSettled: site.snapshot == nil && site.scopes.isEmpty && site.ended.isEmpty && site.descent == nil,
                descentsEnded: site.descentsEnded, drift: site.drift, isWidelyApart: site.isWidelyApart,
                suspects: site.suspects.count, root: site.book.hash(of: .root),
                agentRoot: site.beacon?.tree)
        }.sorted { $0.site < $1.site }
    }

    /// Walks down the trees of all sites, beginning with the next commit.
    package func startDescents() { for site in sites.values { site.startDescent() } }
}
