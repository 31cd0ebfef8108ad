import CLinux
import Glibc

/// TCP on 127.0.0.1, for the demo's broker and for tests. No socket reaches a child: it would hold the port for its life.
enum Loopback {
    /// A bound socket, on a free port for 0; `backlog` nil: not listening.
    static func bind(port: UInt16 = 0, backlog: Int32?) throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = address(port: port)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withAddress(&address) { pointer in
            guard Glibc.bind(descriptor, pointer, length) == 0 else { return Int32(-1) }
            if let backlog, listen(descriptor, backlog) != 0 { return -1 }
            return getsockname(descriptor, pointer, &length)
        }
        guard code == 0 else {
            let failure = errno
            close(descriptor)
            throw FileError(operation: "bind", path: "127.0.0.1", code: failure)
        }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// A port that nobody has just now, below those that the system gives to outgoing connections: one of those could take
    /// it while its owner is away.
    static func freePort() throws -> UInt16 {
        for _ in 0..<100 {
            guard let (probe, port) = try? bind(port: .random(in: 15_000..<32_000), backlog: nil) else {
                continue
            }
            close(probe)
            return port
        }
        throw DemoError("no loopback port is free", hint: "end what listens on so many")
    }

    /// The next connection; below 0 when there is none to come.
    static func accept(_ listener: Int32) -> Int32 {
        let descriptor = Glibc.accept(listener, nil, nil)
        if descriptor >= 0 { _ = waybill_fcntl_int(descriptor, F_SETFD, FD_CLOEXEC) }
        return descriptor
    }

    /// A connected socket; nil when nobody listens there.
    static func connect(port: UInt16) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = address(port: port)
        let code = withAddress(&address) {
            Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        if code == 0 { return descriptor }
        close(descriptor)
        return nil
    }

    private static func address(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private static func withAddress<R>(
        _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> R
    ) -> R {
        withUnsafeMutablePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
    }
}
