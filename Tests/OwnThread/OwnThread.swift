import Foundation
import Synchronization
package import Testing

/// Runs each test of a suite on a thread of its own: a test that blocks holds up none of those that share the pool. Only some
/// at a time, so that what they time is not how many they are.
package struct OwnThread: TestTrait, SuiteTrait, TestScoping {
    package var isRecursive: Bool { true }

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        let thread = ThreadExecutor()
        defer { thread.end() }
        try await withTaskExecutorPreference(thread) { try await function() }
    }
}

extension Trait where Self == OwnThread {
    package static var ownThread: OwnThread { OwnThread() }
}

/// One thread that runs jobs in the order in which they come.
private final class ThreadExecutor: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var hasEnded = false
    }

    private let state = Mutex(State())
    private let wake = DispatchSemaphore(value: 0)

    private static let slots = DispatchSemaphore(value: 8)

    init() { Thread.detachNewThread { self.run() } }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { $0.jobs.append(job) }
        wake.signal()
    }

    func end() {
        state.withLock { $0.hasEnded = true }
        wake.signal()
    }

    private func run() {
        Self.slots.wait()
        defer { Self.slots.signal() }
        while true {
            wake.wait()
            let (job, hasEnded) = state.withLock { state in
                (state.jobs.isEmpty ? nil : state.jobs.removeFirst(), state.hasEnded)
            }
            if let job { job.runSynchronously(on: asUnownedTaskExecutor()) } else if hasEnded { return }
        }
    }
}
