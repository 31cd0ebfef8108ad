package import Inventory

/// What delivery is told by configuration.
package struct DeliverySettings: Sendable {
    package struct Batches: Sendable {
        /// A lane's backlog in events above which runs travel as one message; nil turns batches off.
        package var above: Int64?
        package var events: Int
        package var bytes: Int

        package init(above: Int64? = 1000, events: Int = 100, bytes: Int = 96 * 1024) {
            self.above = above
            self.events = events
            self.bytes = bytes
        }
    }

    package var site: SiteIdentity
    package var agentVersion: String
    package var timeZone: String
    package var weights: [Lane: Int] = [.critical: 8, .standard: 3, .bulk: 1]
    package var batches = Batches()
    /// Messages a second while a backlog drains; nil: no limit.
    package var catchUpRate: Double?
    package var noSubscriber: ReasonPolicy.NoSubscriber = .hold
    package var beaconInterval: Int64 = 30_000
    /// How long the oldest event of a lane may wait for its ack before health says so, in milliseconds.
    package var ageLimits: [Lane: Int64] = [.critical: 60_000, .standard: 300_000, .bulk: 3_600_000]
    package var commands = CommandSettings()
    /// The requester whose receipts retention waits for, where it does.
    package var waitReceipt: String?

    package init(site: SiteIdentity, agentVersion: String, timeZone: String) {
        self.site = site
        self.agentVersion = agentVersion
        self.timeZone = timeZone
    }
}
