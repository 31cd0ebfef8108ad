import CLinux
import Glibc
import Inventory
import Outbox
import Synchronization

/// Commits one set of batches on a thread of its own, so that the next one is read and mapped meanwhile. One caller.
final class Committer: Sendable {
    private enum Slot {
        case empty
        case waiting([CaptureBatch])
        case done(Result<AppendResult, any Error>)

        var batches: [CaptureBatch]? { if case .waiting(let batches) = self { batches } else { nil } }
        var result: Result<AppendResult, any Error>? { if case .done(let result) = self { result } else { nil } }
        var isEmpty: Bool { if case .empty = self { true } else { false } }
    }

    private let outbox: Outbox
    private let slot = Mutex(Slot.empty)
    private let work = eventfd(0, Int32(EFD_CLOEXEC))
    private let answer = eventfd(0, Int32(EFD_CLOEXEC))
    private let isEnding = Atomic(false)

    init(_ outbox: Outbox) { self.outbox = outbox }

    deinit {
        close(work)
        close(answer)
    }

    /// The thread's body; returns after `end`.
    func run() {
        while true {
            Self.await(work)
            guard let batches = slot.withLock(\.batches) else {
                if isEnding.load(ordering: .acquiring) { return }
                continue
            }
            let result = Result { try outbox.append(batches, now: Clocks.wall()) }
            slot.withLock { $0 = .done(result) }
            Self.signal(answer)
        }
    }

    /// What was begun before has to be finished.
    func begin(_ batches: [CaptureBatch]) {
        slot.withLock { slot in
            precondition(slot.isEmpty, "one commit at a time")
            slot = .waiting(batches)
        }
        Self.signal(work)
    }

    /// Waits for what was begun; nil when nothing was. Its events are durable on return. Throws what `append` threw.
    func finish() throws -> AppendResult? {
        if slot.withLock(\.isEmpty) { return nil }
        Self.await(answer)
        let result = slot.withLock { slot in
            defer { slot = .empty }
            return slot.result
        }
        return try result?.get()
    }

    func end() {
        isEnding.store(true, ordering: .releasing)
        Self.signal(work)
    }

    private static func signal(_ descriptor: Int32) {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    private static func await(_ descriptor: Int32) {
        var count: UInt64 = 0
        while read(descriptor, &count, 8) < 0, errno == EINTR {}
    }
}
