import CLinux
import Glibc

/// Tells systemd how the service is (sd_notify(3)); does nothing outside of it.
struct ServiceNotification {
    private let path: String?
    /// Half of what systemd waits before it calls the service hung, in milliseconds; nil without a watchdog.
    let watchdogInterval: Int64?

    init(environment: (String) -> String?) {
        path = environment("NOTIFY_SOCKET")
        watchdogInterval = environment("WATCHDOG_USEC").flatMap { Int64($0) }.map { max(500, $0 / 2_000) }
    }

    func ready(_ status: String) { send("READY=1\nSTATUS=\(status)") }
    func alive() { send("WATCHDOG=1") }
    func stopping() { send("STOPPING=1\nSTATUS=stopping") }

    private func send(_ text: String) {
        guard let path, !path.isEmpty, var address = UnixSocket.address(path) else { return }
        // A leading @ names an abstract socket.
        if path.hasPrefix("@") { withUnsafeMutableBytes(of: &address.sun_path) { $0[0] = 0 } }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.utf8.count)
        let bytes = Array(text.utf8)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }
}
