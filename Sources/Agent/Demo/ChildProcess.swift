import CLinux
import Glibc

/// A program that the demo, a test or the bench started, and that it ends by its pid.
package final class ChildProcess {
    package let pid: Int32
    /// User and system time of the ended process; 0 before.
    package private(set) var cpuSeconds = 0.0
    private var hasEnded = false

    /// stderr goes to `log`; stdin and stdout nowhere, or to the given descriptors, which stay the caller's.
    package init(
        _ program: String, _ arguments: [String], log: String, input: Int32? = nil, output: Int32? = nil
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        Self.redirect(0, to: input, else: O_RDONLY, &actions)
        Self.redirect(1, to: output, else: O_WRONLY, &actions)
        // A thread that blocks signals must not hand its mask on: the child would not hear SIGTERM.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var noSignals = sigset_t()
        sigemptyset(&noSignals)
        posix_spawnattr_setsigmask(&attributes, &noSignals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        words.append(nil)
        defer { words.forEach { free($0) } }
        var child = pid_t()
        let code = posix_spawn(&child, program, &actions, &attributes, words, environ)
        guard code == 0 else { throw FileError(operation: "start", path: program, code: code) }
        pid = child
    }

    private static func redirect(
        _ descriptor: Int32, to given: Int32?, else mode: Int32, _ actions: inout posix_spawn_file_actions_t
    ) {
        if let given {
            posix_spawn_file_actions_adddup2(&actions, given, descriptor)
        } else {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", mode, 0)
        }
    }

    /// Sends a signal and awaits the end; the wait status.
    @discardableResult
    package func end(_ signal: Int32) -> Int32 {
        if !hasEnded { kill(pid, signal) }
        return wait()
    }

    /// Awaits the end; the wait status.
    package func wait() -> Int32 {
        guard !hasEnded else { return 0 }
        var status: Int32 = 0
        var usage = rusage()
        wait4(pid, &status, 0, &usage)
        hasEnded = true
        cpuSeconds = usage.cpuSeconds
        return status
    }
}
