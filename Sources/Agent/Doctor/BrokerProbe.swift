import CLinux
import Glibc
import MQTT

/// The way to one broker: its name, its port, TLS. What fails ends it, since nothing after it could be told.
struct BrokerProbe {
    private let broker: BrokerAddress
    private let options: MQTTOptions
    private static let connectDeadline: Int32 = 5_000

    init(_ broker: BrokerAddress, _ options: MQTTOptions) {
        self.broker = broker
        self.options = options
    }

    private var place: String { "\(broker.host):\(broker.port)" }

    /// False when the way ends before a login.
    func run(_ tell: (DoctorFinding) -> Void) -> Bool {
        guard let addresses = resolve(tell) else { return false }
        guard let descriptor = connect(addresses, tell) else { return false }
        defer { close(descriptor) }
        guard broker.usesTLS else {
            tell(DoctorFinding("tls", place, .warning, "none: passwords and events travel in the clear"))
            return true
        }
        let findings = TLSProbe(host: broker.host, port: broker.port, options: options).run(descriptor)
        findings.forEach(tell)
        return !findings.contains { $0.verdict == .failed }
    }

    /// One address each, as getaddrinfo(3) gives them.
    private func resolve(_ tell: (DoctorFinding) -> Void) -> [Address]? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let begun = Clocks.monotonic()
        let code = getaddrinfo(broker.host, "\(broker.port)", &hints, &found)
        let took = Clocks.monotonic() - begun
        guard code == 0, let found else {
            tell(
                DoctorFinding(
                    "dns", broker.host, .failed,
                    "cannot be resolved: \(String(cString: gai_strerror(code))) (\(took) ms)",
                    remedies: ["getent hosts \(broker.host)", "cat /etc/resolv.conf", "resolvectl status"]))
            return nil
        }
        defer { freeaddrinfo(found) }
        var addresses: [Address] = []
        var next: UnsafeMutablePointer<addrinfo>? = found
        while let entry = next {
            addresses.append(Address(entry.pointee))
            next = entry.pointee.ai_next
        }
        let slow = took > 2_000
        tell(
            DoctorFinding(
                "dns", broker.host, slow ? .warning : .ok,
                "\(addresses.map(\.text).joined(separator: ", ")) (\(took) ms)",
                remedies: slow ? ["resolvectl status"] : []))
        return addresses
    }

    private func connect(_ addresses: [Address], _ tell: (DoctorFinding) -> Void) -> Int32? {
        var failure = ""
        for address in addresses {
            let begun = Clocks.monotonic()
            switch address.connect(within: Self.connectDeadline) {
            case .success(let descriptor):
                tell(DoctorFinding("tcp", place, .ok, "\(address.text) answers (\(Clocks.monotonic() - begun) ms)"))
                return descriptor
            case .failure(let error): failure = "\(address.text): \(error.words)"
            }
        }
        let isRefused = failure.hasSuffix("refused")
        tell(
            DoctorFinding(
                "tcp", place, .failed, "no connection: \(failure)",
                remedies: isRefused
                    ? ["on the broker's machine: systemctl status mosquitto; ss -ltn | grep \(broker.port)"]
                    : [
                        "a firewall may drop it: nc -vz -w 5 \(broker.host) \(broker.port)",
                        "ip route get \(addresses.first?.text ?? broker.host)",
                    ]))
        return nil
    }
}

/// A socket address, taken over from getaddrinfo(3).
struct Address {
    private let bytes: [UInt8]
    private let family: Int32

    struct Failure: Error { var words: String }

    init(_ info: addrinfo) {
        bytes = [UInt8](UnsafeRawBufferPointer(start: info.ai_addr, count: Int(info.ai_addrlen)))
        family = info.ai_family
    }

    private func with<T>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
        bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { preconditionFailure("an address has bytes") }
            return body(base.assumingMemoryBound(to: sockaddr.self), socklen_t(raw.count))
        }
    }

    var text: String {
        var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let code = with { getnameinfo($0, $1, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST) }
        return code == 0 ? String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "?"
    }

    /// A blocking socket that is connected.
    func connect(within milliseconds: Int32) -> Result<Int32, Failure> {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { return .failure(Failure(words: String(cString: strerror(errno)))) }
        var code = with { Glibc.connect(descriptor, $0, $1) } == 0 ? 0 : errno
        if code == EINPROGRESS {
            var watched = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            code = ETIMEDOUT
            if poll(&watched, 1, milliseconds) > 0 {
                var length = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
            }
        }
        guard code == 0 else {
            close(descriptor)
            return .failure(
                Failure(words: code == ETIMEDOUT ? "timed out" : String(cString: strerror(code)).lowercased()))
        }
        _ = waybill_fcntl_int(descriptor, F_SETFL, 0)
        return .success(descriptor)
    }
}
