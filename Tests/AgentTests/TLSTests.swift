import Foundation
import MQTT
import OwnThread
import Testing

@testable import Agent

/// The driver's TLS against the real broker, with authorities made for the test.
@Suite(.ownThread) struct TLSTests: DriverTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test func `TLS checks the broker's certificate, and a wrong authority is told from a network fault`() throws {
        try openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem"
        )
        try openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout other-key.pem -out other.pem")
        let broker = try broker(
            "user root\ncafile \(directory)/cert.pem\ncertfile \(directory)/cert.pem\nkeyfile \(directory)/key.pem")
        defer { broker.stop() }
        var good = try options(broker.port, scheme: "mqtts", host: "localhost")
        good.caFile = directory + "/cert.pem"
        let one = message("a", "1")
        let seen = run(good, until: { $0.acks.count == 1 }) { $0.publishes = [one] }
        #expect(seen.acks.count == 1 && seen.losses.isEmpty)
        var wrong = good
        wrong.caFile = directory + "/other.pem"
        let refused = run(wrong, until: { !$0.losses.isEmpty }) { _ in }
        #expect(refused.connections == 0)
        #expect(refused.losses.first?.words.contains("ca_file") == true)
        var missing = good
        missing.caFile = directory + "/none.pem"
        let unusable = run(missing, until: { !$0.losses.isEmpty }) { _ in }
        #expect(unusable.losses.first?.words.contains("TLS files cannot be used") == true)
    }

    @Test func `a broker that wants a client certificate gets it, and refuses a site without one`() throws {
        try openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca-key.pem -out ca.pem")
        try certificate("broker", subject: "/CN=localhost")
        try certificate("site", subject: "/CN=dc-7")
        let broker = try broker(
            """
            user root
            cafile \(directory)/ca.pem
            certfile \(directory)/broker.pem
            keyfile \(directory)/broker-key.pem
            require_certificate true
            """)
        defer { broker.stop() }
        var options = try options(broker.port, scheme: "mqtts", host: "localhost")
        options.caFile = directory + "/ca.pem"
        let without = run(options, until: { !$0.losses.isEmpty }) { _ in }
        #expect(without.connections == 0 && !without.losses.isEmpty)
        options.certificateFile = directory + "/site.pem"
        options.keyFile = directory + "/site-key.pem"
        let one = message("a", "1")
        let seen = run(options, until: { $0.acks.count == 1 }) { $0.publishes = [one] }
        #expect(seen.acks.count == 1 && seen.losses.isEmpty)
    }
}
