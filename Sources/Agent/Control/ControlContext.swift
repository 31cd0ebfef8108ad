import CLinux
import Glibc
import Hummingbird
import Logging
import NIOCore

/// A request on the control socket, with who sent it.
struct ControlContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    private let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }

    /// `struct ucred` (unix(7)).
    private struct Credentials {
        var pid: Int32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
    }

    /// The unix user at the other end, for the audit log: `user anna (1000)`.
    func actor() async -> String {
        guard let provider = channel as? any SocketOptionProvider,
            let peer = try? await provider.unsafeGetSocketOption(
                level: .socket, name: .init(rawValue: CInt(SO_PEERCRED)), of: Credentials.self
            ).get()
        else { return "user unknown" }
        guard let entry = getpwuid(peer.uid), let name = entry.pointee.pw_name else { return "user \(peer.uid)" }
        return "user \(String(cString: name)) (\(peer.uid))"
    }
}

extension SocketOptionProvider {
    fileprivate func unsafeGetSocketOption<T: Sendable>(
        level: NIOBSDSocket.OptionLevel, name: NIOBSDSocket.Option, of type: T.Type
    ) -> EventLoopFuture<T> { unsafeGetSocketOption(level: level, name: name) }
}
