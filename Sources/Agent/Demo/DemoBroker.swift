import CLinux
import Glibc

/// The `mosquitto` on the PATH, on a free loopback port, in the demo's own directory, with persistence on and no queue
/// limit.
package final class DemoBroker {
    package let port: UInt16
    private let configuration: String
    private let log: String
    private var process: ChildProcess?

    /// `settings`: further lines of its configuration.
    package init(directory: String, settings: String = "") throws {
        port = try Loopback.freePort()
        configuration = directory + "/mosquitto.conf"
        log = directory + "/mosquitto.log"
        try FileBytes.replace(
            configuration,
            with: """
                listener \(port) 127.0.0.1
                allow_anonymous true
                persistence true
                persistence_location \(directory)/
                max_queued_messages 0
                max_queued_bytes 0
                log_dest stderr
                \(settings)

                """)
    }

    deinit { stop() }

    /// Returns when the broker takes connections, at the latest after 10 s.
    package func start() throws {
        guard let program = Self.find("mosquitto") else {
            throw DemoError("mosquitto is not on the PATH", hint: "run: make setup (or: apt-get install mosquitto)")
        }
        process = try ChildProcess(program, ["-c", configuration], log: log)
        let deadline = Clocks.monotonic() + 10_000
        while !canConnect() {
            guard Clocks.monotonic() < deadline else {
                let said = FileBytes.text(log)?.split(separator: "\n").suffix(3).joined(separator: "; ") ?? "nothing"
                throw DemoError("mosquitto does not take connections on port \(port)", hint: "it said: \(said)")
            }
            poll(nil, 0, 20)
        }
    }

    /// The CPU seconds that the broker took. With SIGKILL what it had not stored is gone.
    @discardableResult
    package func stop(_ signal: Int32 = SIGTERM) -> Double {
        defer { process = nil }
        process?.end(signal)
        return process?.cpuSeconds ?? 0
    }

    private static func find(_ name: String) -> String? {
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        let directories = path.split(separator: ":").map(String.init) + ["/usr/sbin", "/usr/local/sbin"]
        return directories.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    private func canConnect() -> Bool {
        guard let probe = Loopback.connect(port: port) else { return false }
        close(probe)
        return true
    }
}

struct DemoError: Error, CustomStringConvertible {
    let message: String
    let hint: String

    init(_ message: String, hint: String) {
        self.message = message
        self.hint = hint
    }

    var description: String { "\(message)\n\(hint)" }
}
