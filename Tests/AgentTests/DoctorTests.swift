import CLinux
import Foundation
import Inventory
import MQTT
import OwnThread
import Synchronization
import Testing

@testable import Agent

/// What `waybill doctor` finds at real brokers, and what it says of it.
@Suite(.ownThread) struct DoctorTests: DriverTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func configuration(_ address: String, _ change: (String) -> String = { $0 }) throws -> Configuration {
        let text = Demo.configuration(port: 1, requesters: ["ingest"])
        return try Configuration.parse(
            change(text.replacingOccurrences(of: "mqtt://127.0.0.1:1", with: address)), file: "agent.conf",
            directory: directory, environment: [:])
    }

    private func look(
        _ address: String, _ change: (inout MQTTOptions) -> Void = { _ in }
    ) throws -> [DoctorFinding] {
        var configuration = try configuration(address)
        change(&configuration.mqtt)
        try FileManager.default.createDirectory(atPath: directory + "/data", withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: directory + "/moves.csv"))
        var found: [DoctorFinding] = []
        Doctor(configuration).lookAsService { found.append($0) }
        return found
    }

    /// Of one step, with the words of what failed first.
    private func failures(_ found: [DoctorFinding]) -> [DoctorFinding] { found.filter { $0.verdict == .failed } }

    @Test func `where all is well every step says so, and the access list is asked topic by topic`() throws {
        let broker = try broker()
        defer { broker.stop() }
        let found = try look("mqtt://127.0.0.1:\(broker.port)")
        #expect(failures(found).isEmpty, "\(found)")
        #expect(found.map(\.step).filter { ["dns", "tcp", "login", "acl", "publish"].contains($0) }.count == 5)
        #expect(found.first { $0.step == "acl" }?.words.contains("all 11 topics") == true, "\(found)")
        #expect(found.contains { $0.step == "tls" && $0.verdict == .warning })
    }

    @Test func `a name that is nobody's and a port where nobody listens end the way, with commands`() throws {
        let unknown = try look("mqtt://broker.invalid")
        #expect(failures(unknown).map(\.step) == ["dns"])
        #expect(failures(unknown).first?.remedies.contains("getent hosts broker.invalid") == true)
        let (dead, port) = try Loopback.bind(backlog: nil)
        defer { close(dead) }
        let refused = try look("mqtt://127.0.0.1:\(port)")
        #expect(failures(refused).map(\.step) == ["tcp"])
        #expect(failures(refused).first?.words.contains("connection refused") == true, "\(refused)")
    }

    private func tlsBroker(_ name: String, _ more: String = "") throws -> DemoBroker {
        try broker(
            """
            user root
            cafile \(directory)/ca.pem
            certfile \(directory)/\(name).pem
            keyfile \(directory)/\(name)-key.pem
            \(more)
            """)
    }

    /// What the certificate is, and what has to be said of it.
    @Test(arguments: [
        ("DNS:localhost", 90, DoctorFinding.Verdict.ok, " days left, for localhost"),
        ("DNS:localhost", 5, .warning, "renew it soon"),
        ("DNS:localhost", -1, .failed, "expired 1 days ago"),
        ("DNS:mq1.example.com", 90, .failed, "is for mq1.example.com, not for localhost"),
    ])
    func `a broker's certificate is judged by host and by days`(
        names: String, days: Int, verdict: DoctorFinding.Verdict, words: String
    ) throws {
        try openssl("req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=authority -keyout ca-key.pem -out ca.pem")
        try certificate("broker", subject: "/CN=x", names: names, days: days)
        let broker = try tlsBroker("broker")
        defer { broker.stop() }
        let found = try look("mqtts://localhost:\(broker.port)") { $0.caFile = directory + "/ca.pem" }
        let tls = try #require(found.first { $0.step == "tls" })
        #expect(tls.verdict == verdict && tls.words.contains(words), "\(tls)")
        #expect(verdict == .ok || tls.remedies.contains { $0.contains("openssl s_client -connect localhost:") })
        #expect((verdict == .failed) != found.contains { $0.step == "login" })
    }

    @Test func `an unknown authority and a missing client certificate are told apart`() throws {
        try openssl("req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=authority -keyout ca-key.pem -out ca.pem")
        try openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=other -keyout other-key.pem -out other.pem")
        try certificate("broker", subject: "/CN=broker", days: 90)
        try certificate("site", subject: "/CN=dc-1", days: 3)
        let broker = try tlsBroker("broker", "require_certificate true")
        defer { broker.stop() }
        let address = "mqtts://localhost:\(broker.port)"
        let unknown = try look(address) { $0.caFile = directory + "/other.pem" }
        #expect(failures(unknown).first?.words.contains("signed by nobody in") == true, "\(unknown)")
        let without = try look(address) { $0.caFile = directory + "/ca.pem" }
        #expect(failures(without).count == 1, "\(without)")
        let with = try look(address) { options in
            options.caFile = directory + "/ca.pem"
            options.certificateFile = directory + "/site.pem"
            options.keyFile = directory + "/site-key.pem"
        }
        #expect(failures(with).isEmpty, "\(with)")
        #expect(with.contains { $0.subject.hasSuffix("site.pem") && $0.verdict == .warning && $0.step == "tls" })
        let missing = try look(address) { $0.caFile = directory + "/none.pem" }
        #expect(missing.contains { $0.step == "tls" && $0.words.contains("mqtt.ca_file") }, "\(missing)")
    }

    @Test func `a wrong password and a refused topic are named, with the line of the access list`() throws {
        let made = try ChildProcess(
            "/usr/bin/mosquitto_passwd", ["-c", "-b", directory + "/passwords", "dc-1", "secret"],
            log: directory + "/passwd.log")
        #expect(made.wait() == 0)
        let root = "waybill/v1/+/demo/dc-1/"
        let rules = ["state", "beacon", "meta", "ev/standard", "ev/bulk", "rep/ingest"]
            .map { "topic write \(root)\($0)\n" }
        let reading = ["state", "meta", "cmd/+"].map { "topic read \(root)\($0)\n" }
        try Data(("user dc-1\n" + (rules + reading).joined()).utf8).write(
            to: URL(fileURLWithPath: directory + "/acl"))
        let broker = try broker(
            """
            user root
            allow_anonymous false
            password_file \(directory)/passwords
            acl_file \(directory)/acl
            """)
        defer { broker.stop() }
        let address = "mqtt://127.0.0.1:\(broker.port)"
        let wrong = try look(address) { ($0.username, $0.password) = ("dc-1", "wrong") }
        #expect(failures(wrong).map(\.step) == ["login"], "\(wrong)")
        #expect(failures(wrong).first?.remedies.first?.contains("/etc/waybill/credentials/mqtt.password") == true)
        let right = try look(address) { ($0.username, $0.password) = ("dc-1", "secret") }
        let refused = failures(right)
        #expect(refused.map { $0.subject.split(separator: "/").last ?? "" } == ["beacon", "critical"], "\(right)")
        #expect(refused.first?.words.hasPrefix("read: ") == true)
        #expect(refused.last?.remedies.contains { $0.hasPrefix("  topic write waybill/v1/") } == true)
    }

    @Test func `a file that the service's user may not read is said with the directory that closes it`() throws {
        guard geteuid() == 0, let nobody = getpwnam("nobody")?.pointee.pw_uid else { return }
        let closed = directory + "/closed"
        try FileManager.default.createDirectory(atPath: closed, withIntermediateDirectories: true)
        try Data("x".utf8).write(to: URL(fileURLWithPath: closed + "/moves.csv"))
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: closed)
        let found = Mutex<[DoctorFinding]>([])
        let thread = OwnedThread(name: "test-user") {
            // In this thread alone, unlike seteuid(2) of libc.
            setfsuid(nobody)
            found.withLock { $0.append(FileProbe(closed + "/moves.csv", .read, what: "source moves").run()) }
        }
        thread.join()
        let finding = try #require(found.withLock { $0.first })
        #expect(finding.verdict == .failed && finding.words.hasSuffix("may not be entered at \(closed)"), "\(finding)")
        #expect(finding.remedies.contains { $0.contains("setfacl") })
    }

    @Test func `the running agent is asked, and goes on undisturbed`() throws {
        try Stage.set { _, broker, _ in
            let site = try AgentSite(lines: [AgentSite.receipt(1)])
            let agent = try site.start { $0.replacingOccurrences(of: "127.0.0.1:1", with: "127.0.0.1:\(broker.port)") }
            defer { agent.shutDown() }
            let before = try site.wait { $0.lanes.contains { $0.acked == 1 } && $0.isConnected }
            let answer = try Program.run(["doctor", "--json", "--socket", site.socket, "--config", "/nonexistent"])
            let lines = answer.out.split(separator: "\n").map(String.init)
            let found = try lines.map { try JSONDecoder().decode(DoctorFinding.self, from: Data($0.utf8)) }
            #expect(found.filter { $0.verdict == .failed }.map(\.step) == ["configuration"], "\(answer)")
            #expect(found.contains { $0.step == "publish" && $0.verdict == .ok })
            try site.append([AgentSite.receipt(2)])
            let after = try site.wait { $0.lanes.contains { $0.acked == 2 } }
            #expect(after.lanes.contains { $0.acked == 2 } && after.isConnected)
            #expect(after.connectionSince == before.connectionSince && after.epoch == before.epoch)
            let text = try Program.run(["doctor", "--local", "--socket", site.socket, "--config", "/nonexistent"])
            #expect(text.code == 1 && text.out.contains("FAILED   configuration"), "\(text)")
        }
    }
}
