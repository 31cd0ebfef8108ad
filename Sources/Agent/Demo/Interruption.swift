import CLinux
import Glibc

/// SIGINT and SIGTERM as something to wait for. From its making on they end nothing by themselves, in this thread and
/// those that it starts.
package struct Interruption {
    private let descriptor: Int32

    package init() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        descriptor = signalfd(-1, &signals, Int32(SFD_CLOEXEC))
    }

    /// True when it came within the time.
    package func wait(milliseconds: Int32) -> Bool {
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&watched, 1, milliseconds) > 0
    }
}
