import Glibc

/// Holds a data directory for one process; the kernel lets go of it however the process ends.
final class DataDirectoryLock: Sendable {
    private let descriptor: Int32

    /// Throws `OutboxError` (`locked`, naming the holder's pid) when another process has it.
    init(directory: String) throws {
        if mkdir(directory, 0o750) != 0, errno != EEXIST {
            throw OutboxError(
                code: .directory, message: "cannot make \(directory): \(String(cString: strerror(errno)))",
                hint: "check [agent] data_dir and the rights of the directory above it")
        }
        let path = directory + "/lock"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard file >= 0 else {
            throw OutboxError(
                code: .directory, message: "cannot open \(path): \(String(cString: strerror(errno)))",
                hint: "the data directory must belong to the user that runs the agent")
        }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let holder = Self.read(file)
            close(file)
            throw OutboxError(
                code: .locked, message: "\(directory) is held by another agent (pid \(holder))",
                hint: "stop that agent, or give this one a data_dir of its own")
        }
        descriptor = file
        Self.write(file, "\(getpid())\n")
    }

    deinit {
        release()
        close(descriptor)
    }

    /// Lets go before the end of the process, also where a child that is being started holds a copy; may be called twice.
    func release() { flock(descriptor, LOCK_UN) }

    private static func read(_ file: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 32)
        let count = pread(file, &buffer, buffer.count, 0)
        guard count > 0 else { return "unknown" }
        return String(decoding: buffer[..<count].prefix { $0 != 0x0A }, as: UTF8.self)
    }

    private static func write(_ file: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        ftruncate(file, 0)
        _ = pwrite(file, bytes, bytes.count, 0)
    }
}
