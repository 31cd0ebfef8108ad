package import Delivery
package import Ingest
package import Inventory
package import MQTT
package import Outbox

/// Everything `agent.conf` says, typed and validated; nothing starts from anything else.
package struct Configuration: Sendable {
    package var site: SiteIdentity
    package var timeZone: String
    package var mqtt: MQTTOptions
    package var delivery: DeliverySettings
    package var outbox: OutboxOptions
    package var inventory: InventoryRules
    package var sources: [SourceDefinition]
    /// When full exports are held against the ledgers once more, in minutes after midnight; nil: with each export alone.
    package var reconcileAt: Int64?
    /// Where the running agent answers the commands.
    package var controlSocket: String
    /// Where the local page is served, if anywhere.
    package var page: PageAddress?
    /// Credentials that are there and cannot be read, in words: a run refuses them, a check outside the service only
    /// says so.
    package var unreadableCredentials: [String] = []

    /// Throws `ConfigurationError` when a credential cannot be read.
    package func requireCredentials() throws {
        guard !unreadableCredentials.isEmpty else { return }
        throw ConfigurationError(problems: unreadableCredentials)
    }
}

/// All that is wrong with a configuration, in the order of the file.
package struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    package let problems: [String]

    package var description: String { problems.joined(separator: "\n") }
}

extension Configuration {
    /// The tables that count from the start on and differ.
    func differences(fromStart other: Configuration) -> [String] {
        var tables: [String] = []
        if site != other.site || timeZone != other.timeZone { tables.append("site") }
        let isSameDelivery =
            delivery.weights == other.delivery.weights && "\(delivery.batches)" == "\(other.delivery.batches)"
            && delivery.catchUpRate == other.delivery.catchUpRate
            && delivery.noSubscriber == other.delivery.noSubscriber
        if "\(mqtt)" != "\(other.mqtt)" || !isSameDelivery { tables.append("mqtt, lanes") }
        if delivery.commands != other.delivery.commands { tables.append("commands") }
        if controlSocket != other.controlSocket || outbox.directory != other.outbox.directory { tables.append("agent") }
        if page != other.page { tables.append("http") }
        if inventory != other.inventory { tables.append("inventory") }
        return tables
    }

    /// Takes from another configuration all that a reload does not change.
    mutating func keep(startOf other: Configuration) {
        let (sources, limits, reconcileAt) = (self.sources, outbox, self.reconcileAt)
        self = other
        self.sources = sources
        self.reconcileAt = reconcileAt
        outbox.limitBytes = limits.limitBytes
        outbox.reserveBytes = limits.reserveBytes
        outbox.keepMilliseconds = limits.keepMilliseconds
        outbox.keepBytes = limits.keepBytes
        outbox.waitReceipt = limits.waitReceipt
    }
}
