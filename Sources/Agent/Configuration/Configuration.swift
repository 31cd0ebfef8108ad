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
    /// Where the running agent answers the commands.
    package var controlSocket: String
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
