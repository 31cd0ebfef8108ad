import CLinux
import Glibc

/// A named pthread with one owner, who joins it.
final class OwnedThread {
    private var thread: pthread_t?

    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// `name`: at most 15 bytes, as the kernel shows it.
    init(name: String, _ run: @escaping @Sendable () -> Void) {
        let body = Unmanaged.passRetained(Body(name: name, run: run))
        var id = pthread_t()
        let code = pthread_create(
            &id, nil,
            { context in
                guard let context else { return nil }
                let body = Unmanaged<Body>.fromOpaque(context).takeRetainedValue()
                waybill_name_thread(body.name)
                body.run()
                return nil
            }, body.toOpaque())
        precondition(code == 0, "a thread can be made at start")
        thread = id
    }

    func join() {
        guard let thread else { return }
        pthread_join(thread, nil)
        self.thread = nil
    }
}
