import Contract
import Foundation
import Inventory
import MQTT
import OwnThread
import Testing

@testable import Agent

/// The example access list, loaded into a real broker, rule by rule.
@Suite(.ownThread) struct AccessListTests: DriverTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let users = ["dc-7", "dc-8", "ingest", "ops", "dashboard"]

    private func guardedBroker() throws -> DemoBroker {
        for user in Self.users {
            let made = try ChildProcess(
                "/usr/bin/mosquitto_passwd",
                (user == Self.users[0] ? ["-c"] : []) + ["-b", directory + "/passwords", user, "secret"],
                log: directory + "/passwd.log")
            #expect(made.wait() == 0)
        }
        try FileManager.default.copyItem(atPath: Python.root + "/Examples/acl/acl", toPath: directory + "/acl")
        return try broker(
            """
            user root
            allow_anonymous false
            password_file \(directory)/passwords
            acl_file \(directory)/acl
            """)
    }

    private func topic(_ site: String, _ part: String) throws -> String {
        Topics(site: try #require(SiteIdentity(tenant: "acme", site: site))).root + "/" + part
    }

    private func options(_ user: String, _ port: UInt16) throws -> MQTTOptions {
        var options = try options(port)
        options.clientID = "as-\(user)"
        (options.username, options.password) = (user, "secret")
        return options
    }

    /// The reason codes of what a user publishes, each on a connection of its own: this broker may close after a refusal.
    private func publish(_ topics: [String], as user: String, _ port: UInt16) throws -> [UInt8] {
        try topics.map { topic in
            let message = message(topic, "x", retain: topic.hasSuffix("beacon") || topic.hasSuffix("meta"))
            return try #require(
                run(try options(user, port), until: { !$0.acks.isEmpty }) { $0.publishes = [message] }.acks.first)
        }
    }

    @Test func `a site writes below its own name alone, and no command`() throws {
        let broker = try guardedBroker()
        defer { broker.stop() }
        let own = try ["ev/standard", "rep/ingest", "state", "beacon", "meta"].map { try topic("dc-7", $0) }
        #expect(try publish(own, as: "dc-7", broker.port).allSatisfy { $0 < 0x80 })
        let others = try ["ev/standard", "rep/ingest", "state", "beacon", "meta", "cmd/replay"].map {
            try topic("dc-8", $0)
        }
        let own2 = [try topic("dc-7", "cmd/replay"), "elsewhere"]
        #expect(try publish(others + own2, as: "dc-7", broker.port) == Array(repeating: 0x87, count: 8))
    }

    @Test func `consumer and operator write commands, and nothing that is a site's`() throws {
        let broker = try guardedBroker()
        defer { broker.stop() }
        for user in ["ingest", "ops"] {
            let commands = try ["dc-7", "dc-8"].map { try topic($0, "cmd/replay") }
            #expect(try publish(commands, as: user, broker.port).allSatisfy { $0 < 0x80 })
            let events = try ["ev/bulk", "state", "beacon", "rep/ingest"].map { try topic("dc-7", $0) }
            #expect(try publish(events, as: user, broker.port) == Array(repeating: 0x87, count: 4))
        }
        #expect(try publish([try topic("dc-7", "cmd/ping")], as: "dashboard", broker.port) == [0x87])
    }

    @Test func `a site hears its own beacon and not another's, a consumer both`() throws {
        let broker = try guardedBroker()
        defer { broker.stop() }
        for site in ["dc-7", "dc-8"] {
            _ = try publish([try topic(site, "beacon"), try topic(site, "meta")], as: site, broker.port)
        }
        func heard(_ user: String, _ count: Int) throws -> [String] {
            run(try options(user, broker.port), until: { $0.messages.count >= count && $0.subacks > 0 }) {
                $0.subscriptions = ["waybill/v1/+/acme/+/beacon", "waybill/v1/+/acme/+/meta"]
            }.messages.map(\.topic).sorted()
        }
        let all = try ["dc-7", "dc-8"].flatMap { site in try ["beacon", "meta"].map { try topic(site, $0) } }
            .sorted()
        #expect(try heard("dc-7", 2) == all.filter { $0.contains("dc-7") })
        #expect(try heard("ingest", 4) == all)
        #expect(try heard("dashboard", 2) == all.filter { $0.hasSuffix("beacon") })
    }
}
