import Contract
import FoundationEssentials
import Inventory
import MQTT

/// What a command line says, before it is believed.
package struct ReceiverWords: Sendable {
    package var broker = ""
    package var tenant = ""
    package var site: String?
    package var shards: String?
    package var path = ""
    package var requester = ""
    package var username: String?
    package var passwordFile: String?
    package var caFile: String?
    package var certificateFile: String?
    package var keyFile: String?
    package var signingKeyFile: String?

    package init() {}

    /// Throws `ReceiverError` for what cannot be used.
    package func options(programVersion: String) throws -> ReceiverOptions {
        guard let address = BrokerAddress(broker) else {
            throw ReceiverError(
                "--broker \(broker) cannot be read",
                hint: "it wants the form mqtts://host:8883, without user or password")
        }
        for (name, value) in [("--tenant", tenant), ("--as", requester), ("--site", site ?? "a")]
        where !SiteIdentity.isName(value) {
            throw ReceiverError(
                "\(name) \(value) is no name", hint: "names have letters, digits, '.', '_' and '-', at most 64")
        }
        var mqtt = MQTTOptions(brokers: [address], clientID: "waybill-receive-\(tenant)-\(requester)")
        mqtt.isCleanStart = false
        mqtt.username = username
        mqtt.password = try passwordFile.map { try text($0).trimmingSuffix("\n") }
        if let caFile { mqtt.caFile = caFile }
        mqtt.certificateFile = certificateFile
        mqtt.keyFile = keyFile
        var options = ReceiverOptions(
            mqtt: mqtt, tenant: tenant, path: path, requester: requester, programVersion: programVersion)
        options.sites = try sites()
        options.signingKey = try signingKeyFile.map { file in
            let pem = try text(file)
            guard SigningKey(pem: pem) != nil else {
                throw ReceiverError(
                    "--sign-key \(file) holds no Ed25519 private key",
                    hint: "make one: openssl genpkey -algorithm ed25519")
            }
            return pem
        }
        return options
    }

    private func sites() throws -> ReceiverOptions.Sites {
        if let site { return .one(site) }
        guard let shards else { return .all }
        let ends = shards.split(separator: "-", omittingEmptySubsequences: false).map { UInt8($0, radix: 16) }
        guard ends.count == 2, let first = ends[0], let last = ends[1], first <= last else {
            throw ReceiverError("--shards \(shards) cannot be read", hint: "it wants two hex numbers, such as 00-3f")
        }
        return .shards(first...last)
    }

    private func text(_ file: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw ReceiverError("\(file) cannot be read", hint: "check the path and its rights")
        }
        return String(decoding: data, as: UTF8.self)
    }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }
}
