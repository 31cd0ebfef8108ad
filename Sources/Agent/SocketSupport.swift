import CLinux
import Glibc

/// What several users of sockets need alike.
enum SocketSupport {
    /// Connecting, sending and receiving on it fail (`EAGAIN`) when the other side is silent for so long.
    static func limitSilence(_ descriptor: Int32, seconds: Int) {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    /// An IPv4 or IPv6 address in its text form, no name.
    static func isAddress(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1
    }
}
