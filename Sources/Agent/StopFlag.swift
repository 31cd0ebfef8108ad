import CLinux
import Glibc
import Synchronization

/// Asks a loop to end and wakes it from `poll`.
final class StopFlag: Sendable {
    private let flag = Atomic(false)
    let descriptor: Int32

    init() { descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC)) }

    deinit { close(descriptor) }

    var isSet: Bool { flag.load(ordering: .acquiring) }

    /// Blocks until it is set, at most `milliseconds`.
    func wait(milliseconds: Int32) {
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = poll(&watched, 1, milliseconds)
    }

    func set() {
        flag.store(true, ordering: .releasing)
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }
}
