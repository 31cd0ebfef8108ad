import Ingest
import CLinux
import Glibc

/// Who may take a socket's path: a path that answers belongs to a living agent, one that does not is left over.
struct ControlSocketPath {
    let path: String
    private var bound: (device: UInt64, inode: UInt64)?

    private static let longest = 107

    /// Makes the path free. Throws `ControlError` when another agent answers there or the directory cannot be used.
    init(_ path: String) throws {
        guard path.utf8.count <= Self.longest else {
            throw ControlError(
                "the control socket's path has \(path.utf8.count) bytes, the system allows \(Self.longest)",
                hint: "set a shorter [agent] control_socket")
        }
        self.path = path
        let directory = path.directory
        mkdir(directory, 0o755)
        switch UnixSocket.connect(path) {
        case .success(let living):
            let holder = UnixSocket.peerPID(living)
            close(living)
            throw ControlError(
                "\(path) belongs to a running agent (pid \(holder))",
                hint: "stop that agent, or give this one a control_socket of its own")
        case .failure(let code) where code == ECONNREFUSED: unlink(path)
        case .failure(let code) where code == ENOENT:
            guard access(directory, W_OK) == 0 else {
                throw ControlError(
                    "cannot make \(path): \(String(cString: strerror(errno)))",
                    hint: "make the directory for this user, or set [agent] control_socket")
            }
        case .failure(let code):
            throw ControlError(
                "cannot use \(path): \(String(cString: strerror(code)))",
                hint: "remove what is there, or set another [agent] control_socket")
        }
    }

    /// After bind: the group may connect too (connecting needs write permission), and the file is remembered as ours.
    mutating func claim() {
        chmod(path, 0o660)
        bound = Self.identity(path)
    }

    /// Removes the file unless another agent has put its own there.
    func release() {
        guard let bound, let now = Self.identity(path), now == bound else { return }
        unlink(path)
    }

    private static func identity(_ path: String) -> (device: UInt64, inode: UInt64)? {
        var status = stat()
        return stat(path, &status) == 0 ? (UInt64(status.st_dev), UInt64(status.st_ino)) : nil
    }
}

package struct ControlError: Error, CustomStringConvertible {
    package let message: String
    package let hint: String

    init(_ message: String, hint: String) {
        self.message = message
        self.hint = hint
    }

    package var description: String { "\(message)\n\(hint)" }
}

/// Stream sockets by path.
enum UnixSocket {
    enum Outcome {
        case success(Int32)
        /// An `errno`.
        case failure(Int32)
    }

    /// `seconds`: the longest silence of the other side, for connecting, sending and receiving; nil: any.
    static func connect(_ path: String, seconds: Int? = nil) -> Outcome {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return .failure(errno) }
        guard var address = address(path) else {
            close(descriptor)
            return .failure(ENAMETOOLONG)
        }
        if let seconds { SocketSupport.limitSilence(descriptor, seconds: seconds) }
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else {
            let failure = errno
            close(descriptor)
            return .failure(failure)
        }
        return .success(descriptor)
    }

    static func address(_ path: String) -> sockaddr_un? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return address
    }

    /// The process that listens at the other end.
    static func peerPID(_ descriptor: Int32) -> pid_t {
        var bytes = [UInt32](repeating: 0, count: 3)
        var length = socklen_t(12)
        // struct ucred: pid, uid, gid.
        guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &bytes, &length) == 0 else { return 0 }
        return pid_t(bitPattern: bytes[0])
    }
}
