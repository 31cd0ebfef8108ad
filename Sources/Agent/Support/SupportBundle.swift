import CLinux
import CMosquitto
import CSQLite
import CTLS
import FoundationEssentials
import Glibc

/// What helps whoever supports a site, as one text that a person can read before it is sent. What is in it was let in by
/// name: no payload, stock, secret, path, host, or name of a user, requester, source or site.
package struct SupportBundle {
    private let client: ControlClient
    private let configuration: String

    package init(client: ControlClient, configuration: String) {
        self.client = client
        self.configuration = configuration
    }

    package func text() -> String {
        let sections: [(String, () throws -> [String])] = [
            ("versions", versions), ("machine", machine),
            ("configuration", { try ConfigurationOutline.lines(path: configuration) }),
            ("status", status), ("outbox", outbox), ("rejects by reason", rejects), ("done in the last 24 hours", done),
            ("metrics", metrics), ("doctor", doctor),
        ]
        let intro = [
            "Waybill support bundle, \(Clocks.wall())",
            "Names of users, sources, sites and hosts, paths, stock and secrets are left out.",
        ]
        return (intro + sections.flatMap(section)).map { $0 + "\n" }.joined()
    }

    private func section(_ name: String, _ lines: () throws -> [String]) -> [String] {
        let found: [String]
        // What went wrong may hold a path: its kind is enough.
        do { found = try lines() } catch { found = ["(not available: \(type(of: error)))"] }
        return ["", "== \(name)"] + (found.isEmpty ? ["(none)"] : found)
    }

    // MARK: sections

    private func versions() -> [String] {
        var (major, minor, revision) = (Int32(0), Int32(0), Int32(0))
        mosquitto_lib_version(&major, &minor, &revision)
        return [
            "waybill \(WaybillVersion.text), outbox schema \(WaybillVersion.outboxSchema)",
            "sqlite \(String(cString: sqlite3_libversion())), libmosquitto \(major).\(minor).\(revision)",
            String(cString: OpenSSL_version(OPENSSL_VERSION)),
        ]
    }

    private func machine() -> [String] {
        var names = utsname()
        uname(&names)
        let release = withUnsafeBytes(of: names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let pages = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        return ["linux \(release), \(sysconf(Int32(_SC_NPROCESSORS_ONLN))) processors, \(pages >> 20) MiB of memory"]
    }

    private func status() throws -> [String] {
        let status = try client.get(StatusDocument.self, "/v1/status")
        var lines = ["started \(status.startedAt), at \(status.at), epoch \(status.epoch)"]
        lines.append("connected \(status.isConnected), since \(status.connectionSince ?? "never")")
        lines += status.details.map { "reason \($0.kind) since \($0.since)" }
        lines += status.lanes.map {
            "lane \($0.name): head \($0.head), acked \($0.acked), oldest un-acked \($0.oldestUnackedAt ?? "none")"
        }
        lines += status.receipts.enumerated().map { "receipt \($0 + 1): \($1.lane) \($1.sequence) at \($1.at)" }
        lines += status.sources.enumerated().map {
            "source \($0 + 1): \(Self.status($1.status)), last record \($1.lastRecordAt ?? "none")"
        }
        return lines + ["resident \(status.process.residentBytes >> 20) MiB, CPU \(Int(status.process.cpuSeconds)) s"]
    }

    /// The kind of a status alone: the rest may name a file.
    private static func status(_ words: String) -> String {
        ["ok", "starting", "waiting", "held", "paused"].first { words.hasPrefix($0) } ?? "other"
    }

    private func outbox() throws -> [String] {
        let outbox = try client.get(OutboxDocument.self, "/v1/outbox")
        return [
            "file \(outbox.fileBytes), log \(outbox.walBytes), limit \(outbox.limitBytes) bytes",
            "reading \(outbox.room == "open" ? "open" : "paused"), rejects \(outbox.rejects), set aside \(outbox.setAside.count)",
        ]
    }

    private func rejects() throws -> [String] {
        var counts: [String: Int] = [:]
        for line in try client.lines("/v1/rejects") {
            let code = try JSONDecoder().decode(RejectDocument.self, from: Data(line.utf8)).code
            counts[Self.isWord(code) ? code : "other", default: 0] += 1
        }
        return counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value) (of the oldest 1,000)" }
    }

    private func done() throws -> [String] {
        try client.get(StatusDocument.self, "/v1/status").done.map { entry in
            let who = entry.actor.split(separator: " ").first.map(String.init) ?? ""
            let end = entry.outcome.split { !$0.isLetter }.first.map(String.init) ?? ""
            return
                "\(entry.at) \(["user", "requester", "agent"].contains(who) ? who : "other") \(Self.isWord(entry.action) ? entry.action : "other") \(end)"
        }
    }

    /// Those without a label, or with labels whose values are this program's own.
    private func metrics() throws -> [String] {
        try client.lines("/metrics").filter { line in
            guard !line.hasPrefix("#"), !line.contains("_bucket") else { return false }
            return !["source=", "requester=", "site=", "tenant="].contains { line.contains($0) }
        }
    }

    private func doctor() throws -> [String] {
        var lines: [String] = []
        try client.each("/v1/doctor", method: "POST", seconds: 60) { line in
            guard let finding = try? JSONDecoder().decode(DoctorFinding.self, from: Data(line.utf8)) else { return }
            lines.append("\(finding.step) \(finding.verdict.rawValue)")
        }
        return lines
    }

    private static func isWord(_ text: String) -> Bool {
        text.utf8.count <= 32 && text.allSatisfy { $0.isASCII && ($0.isLowercase || $0 == "_") }
    }
}
