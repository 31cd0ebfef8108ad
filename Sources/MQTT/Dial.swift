import CLinux
import Glibc
import Synchronization

// libmosquitto resolves a broker's name inside the call that begins to connect, and `getaddrinfo` may take minutes when
// name servers do not answer. So that call runs on a thread of its own, which owns the handle meanwhile. Whoever waits
// may give up: then the thread keeps the handle until the call returns, destroys it and ends.

/// Begins to connect; libmosquitto's return code.
typealias BeginConnect = @Sendable (Handle, BrokerAddress, MQTTOptions) -> Int32

final class Dial: Sendable {
    enum Outcome {
        /// libmosquitto's return code, and the handle again.
        case called(Handle, Int32)
        case gaveUp
        case tooMany
    }

    /// Guarded by `state`: the handle stands there, or it is with the one thread that took it out.
    private struct Passed: @unchecked Sendable {
        let handle: Handle
    }

    private struct State {
        var passed: Passed?
        var code: Int32?
        var isAbandoned = false
    }

    private let state: Mutex<State>
    private let done: Int32
    private let begin: @Sendable (Handle) -> Int32

    /// Calls that were given up and did not return yet; above the limit none is begun.
    private static let abandoned = Atomic(0)
    private static let mostAbandoned = 8
    private static let longestWait: Int32 = 250

    private init(_ handle: sending Handle, _ begin: @escaping @Sendable (Handle) -> Int32) {
        state = Mutex(State(passed: Passed(handle: handle)))
        self.begin = begin
        done = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    }

    deinit { close(done) }

    /// Waits for the call while `goesOn` says so; it is asked at least every 250 ms, and when `wake` is readable.
    static func call(
        _ handle: sending Handle, wake: Int32, while goesOn: () -> Bool,
        _ begin: @escaping @Sendable (Handle) -> Int32
    ) -> Outcome {
        guard abandoned.load(ordering: .relaxed) < mostAbandoned else { return .tooMany }
        let dial = Dial(handle, begin)
        dial.start()
        while goesOn() {
            if let outcome = dial.result() { return outcome }
            dial.wait(wake)
        }
        return dial.result() ?? dial.abandon()
    }

    private func start() {
        let context = Unmanaged.passRetained(self)
        var id = pthread_t()
        let code = pthread_create(
            &id, nil,
            { context in
                guard let context else { return nil }
                waybill_name_thread("waybill-dial")
                Unmanaged<Dial>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard code != 0 else { return _ = pthread_detach(id) }
        // Without a thread the call is made here, and may take its time.
        context.release()
        run()
    }

    private func run() {
        guard let passed = state.withLock({ $0.passed.take() }) else { return }
        let code = begin(passed.handle)
        state.withLock { state in
            if state.isAbandoned { Self.abandoned.subtract(1, ordering: .relaxed) }
            state.passed = passed
            state.code = code
        }
        var one: UInt64 = 1
        _ = write(done, &one, 8)
    }

    private func result() -> Outcome? {
        state.withLock { state in
            guard let code = state.code, let passed = state.passed.take() else { return nil }
            return .called(passed.handle, code)
        }
    }

    private func abandon() -> Outcome {
        state.withLock { state in
            guard state.code == nil else { return }
            state.isAbandoned = true
            Self.abandoned.add(1, ordering: .relaxed)
        }
        return .gaveUp
    }

    private func wait(_ wake: Int32) {
        var watched = [done, wake].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard poll(&watched, 2, Self.longestWait) > 0, watched[1].revents != 0 else { return }
        var count: UInt64 = 0
        _ = read(wake, &count, 8)
    }
}
