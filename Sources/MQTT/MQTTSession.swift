import CLinux
import CMosquitto
import Glibc
import Synchronization

/// Who uses a session. All calls come on the session's one thread.
package protocol SessionHandler: AnyObject {
    func willConnect() -> ConnectDecision
    /// CONNACK 0: the handler may subscribe and publish.
    func connected(_ port: SessionPort)
    func subscribed(codes: [Int32], port: SessionPort)
    func received(_ message: InboundMessage, port: SessionPort)
    func acknowledged(token: UInt64, reason: UInt8, port: SessionPort)
    /// Called while there may be room.
    func refill(_ port: SessionPort)
    /// At least every 250 ms while connected.
    func tick(nowMilliseconds: Int64, port: SessionPort?)
    /// What was in flight is unknown.
    func lost(_ loss: ConnectionLoss)
    /// The last message of a clean shutdown.
    func farewell(_ port: SessionPort) -> Message?
}

/// One identity at a broker: connects, drives libmosquitto from one pthread, reconnects until it is stopped.
package final class MQTTSession: Sendable {
    private let wakeDescriptor: Int32
    private let isStopping = Atomic(false)
    private let thread = Mutex<pthread_t?>(nil)
    private let options: MQTTOptions
    private let random: Jitter
    private let beginConnect: BeginConnect
    private let makeHandler: @Sendable () -> any SessionHandler

    private static let library: Void = {
        mosquitto_lib_init()
        signal(SIGPIPE, SIG_IGN)
    }()

    /// `random` decides the jitter of waits; `makeHandler` is called once, on the session's thread.
    package convenience init(
        options: MQTTOptions, random: Jitter = Jitter(seed: .random(in: 0...UInt64.max)),
        makeHandler: @escaping @Sendable () -> any SessionHandler
    ) {
        self.init(
            options: options, random: random, beginConnect: { $0.connect(to: $1, options: $2) },
            makeHandler: makeHandler)
    }

    init(
        options: MQTTOptions, random: Jitter, beginConnect: @escaping BeginConnect,
        makeHandler: @escaping @Sendable () -> any SessionHandler
    ) {
        self.random = random
        self.beginConnect = beginConnect
        precondition(!options.brokers.isEmpty)
        _ = Self.library
        self.options = options
        self.makeHandler = makeHandler
        wakeDescriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    }

    deinit { close(wakeDescriptor) }

    package func start() {
        let context = Unmanaged.passRetained(self)
        var id = pthread_t()
        let code = pthread_create(
            &id, nil,
            { context in
                guard let context else { return nil }
                let session = Unmanaged<MQTTSession>.fromOpaque(context).takeRetainedValue()
                waybill_name_thread("waybill-mqtt")
                SessionLoop(
                    options: session.options, handler: session.makeHandler(), random: session.random,
                    beginConnect: session.beginConnect,
                    wake: session.wakeDescriptor,
                    isStopping: { session.isStopping.load(ordering: .acquiring) }
                ).run()
                return nil
            }, context.toOpaque())
        precondition(code == 0, "a thread can be made at start")
        thread.withLock { $0 = id }
    }

    /// From any thread: there may be something to send.
    package func wake() {
        var one: UInt64 = 1
        _ = write(wakeDescriptor, &one, 8)
    }

    /// Awaits what is in flight, says farewell, disconnects; returns within about 8 s, also when name servers hang.
    package func stop() {
        isStopping.store(true, ordering: .releasing)
        wake()
        let id = thread.withLock { id in
            defer { id = nil }
            return id
        }
        if let id { pthread_join(id, nil) }
    }
}
