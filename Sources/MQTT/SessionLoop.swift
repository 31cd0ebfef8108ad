import CLinux
import Glibc

/// The poll loop of one session's thread: a handle per connection, dull by intent.
final class SessionLoop {
    private let options: MQTTOptions
    private let handler: any SessionHandler
    private let wake: Int32
    private let isStopping: () -> Bool
    private let beginConnect: BeginConnect
    private var backoff: Backoff
    private var random: Jitter
    private var order: BrokerOrder
    private var isProven = false
    private var nextMisc: Int64 = 0
    /// Where the next connection's window begins: smaller after the broker asked for less.
    private var windowStart = Window.first

    private static let longestPoll: Int64 = 250
    private static let drainDeadline: Int64 = 5_000
    private static let farewellDeadline: Int64 = 2_000
    private static let closeDeadline: Int64 = 1_000
    /// A connection that lived so long, or whose broker acked something, ends the backoff.
    private static let provenLife: Int64 = 10_000
    private static let miscInterval: Int64 = 500

    init(
        options: MQTTOptions, handler: any SessionHandler, random: Jitter, beginConnect: @escaping BeginConnect,
        wake: Int32, isStopping: @escaping () -> Bool
    ) {
        self.beginConnect = beginConnect
        self.random = random
        order = BrokerOrder(count: options.brokers.count)
        self.options = options
        self.handler = handler
        self.wake = wake
        self.isStopping = isStopping
        backoff = Backoff(least: options.backoffMin, most: options.backoffMax)
    }

    func run() {
        while !isStopping() {
            switch handler.willConnect() {
            case .wait(let milliseconds): pause(milliseconds)
            case .connect(let suffix, let will):
                guard let loss = connection(clientID: options.clientID + suffix, will: will) else { return }
                handler.lost(loss)
                order.lost(wasProven: isProven)
                pause(backoff.next(using: &random, isRefusal: loss.isRefusal))
            }
        }
    }

    /// Runs one connection to its end; nil after a clean shutdown.
    private func connection(clientID: String, will: Message?) -> ConnectionLoss? {
        let broker = options.brokers[order.index]
        isProven = false
        guard let handle = Handle(clientID: clientID, options: options) else {
            return ConnectionLoss(isRefusal: false, words: "libmosquitto has no memory")
        }
        var code = handle.authenticate(options, tls: broker.usesTLS)
        guard code == 0 else {
            return ConnectionLoss(
                isRefusal: true,
                words:
                    "the TLS files cannot be used (\(MosquittoCode(code: code).words)); check ca_file, cert_file and key"
            )
        }
        if let will { code = handle.setWill(will) }
        guard code == 0 else { return unreachable(broker, code) }
        switch dial(handle, broker) {
        case .failure(let loss): return loss.loss
        case .success(let handle): return talk(handle, broker: broker)
        }
    }

    /// Resolves the name and begins to connect, on a thread that can be left behind.
    private func dial(_ handle: sending Handle, _ broker: BrokerAddress) -> Result<Handle, Lost> {
        let deadline = monotonic() + options.connectDeadline
        let goesOn = { !self.isStopping() && self.monotonic() < deadline }
        let outcome = Dial.call(handle, wake: wake, while: goesOn) { [options, beginConnect] in
            beginConnect($0, broker, options)
        }
        switch outcome {
        case .called(let handle, 0): return .success(handle)
        case .called(_, let code): return .failure(Lost(loss: unreachable(broker, code)))
        case .gaveUp, .tooMany:
            return .failure(
                Lost(
                    loss: ConnectionLoss(
                        isRefusal: false,
                        words: "the name \(broker.host) is not resolved in time; check the machine's name servers")))
        }
    }

    private func talk(_ handle: Handle, broker: BrokerAddress) -> ConnectionLoss? {
        switch awaitConnack(handle, broker: broker) {
        case .failure(let loss): return loss.loss
        case .success(let port): return serve(handle, port: port)
        }
    }

    private struct Lost: Error { let loss: ConnectionLoss }

    private func unreachable(_ broker: BrokerAddress, _ code: Int32) -> ConnectionLoss {
        if MosquittoCode(code: code).isTLS {
            return ConnectionLoss(
                isRefusal: false,
                words: "TLS with \(broker.host):\(broker.port) failed: its certificate is not one that ca_file "
                    + "(\(options.caFile)) vouches for, or it refuses the client certificate")
        }
        return ConnectionLoss(
            isRefusal: false,
            words: "\(broker.host):\(broker.port) cannot be reached: \(MosquittoCode(code: code).words)")
    }

    private func awaitConnack(_ handle: Handle, broker: BrokerAddress) -> Result<SessionPort, Lost> {
        let deadline = monotonic() + options.connectDeadline
        var idleTurns: Int32 = 0
        while monotonic() < deadline {
            if isStopping() {
                return .failure(Lost(loss: ConnectionLoss(isRefusal: false, words: "stopping", isOurs: true)))
            }
            // During a TLS handshake only `loop_read` makes progress, whatever the socket is ready for; but a socket
            // is nearly always ready for writing, so that alone is asked less and less often.
            let ready = pollSocket(handle, alwaysOut: true)
            if ready == Int32(POLLOUT) {
                idleTurns = min(idleTurns + 1, 5)
                if idleTurns > 1 { awaitInput(handle, milliseconds: 1 << idleTurns) }
            }
            if ready != 0 {
                var code = handle.read()
                if code == 0, handle.wantsWrite { code = handle.write() }
                if code != 0 || handle.socket < 0, handle.notes.connack == nil {
                    return .failure(Lost(loss: unreachable(broker, code == 0 ? 7 : code)))
                }
            }
            let connack = handle.notes.connack
            handle.clearNotes()
            if let connack {
                guard connack.code == 0 else {
                    return .failure(Lost(loss: ReasonCode.connack(connack.code, version: options.version)))
                }
                return .success(
                    SessionPort(
                        handle: handle, options: options, receiveMaximum: connack.receiveMaximum,
                        maxPacket: connack.maxPacket, windowStart: windowStart, now: monotonic))
            }
        }
        return .failure(
            Lost(loss: ConnectionLoss(isRefusal: false, words: "\(broker.host):\(broker.port) did not answer in time")))
    }

    private func serve(_ handle: Handle, port: SessionPort) -> ConnectionLoss? {
        let begun = monotonic()
        handler.connected(port)
        while true {
            if isStopping() { return shutDown(handle, port) }
            if let loss = turn(handle, port) {
                if port.isLeaving { close(handle) }
                return loss
            }
            let now = monotonic()
            if now - begun > Self.provenLife { proven() }
            if port.isOverdue(now: now) {
                return ConnectionLoss(isRefusal: false, words: "the broker acknowledges nothing any more")
            }
            handler.tick(nowMilliseconds: now, port: port)
            if port.hasRoom { handler.refill(port) }
        }
    }

    private func proven() {
        isProven = true
        backoff.succeeded()
    }

    /// One look at the socket; a loss when the connection is over.
    private func turn(_ handle: Handle, _ port: SessionPort) -> ConnectionLoss? {
        if let loss = left(port) { return loss }
        // First what the broker says: a failing write would hide why it closed.
        let ready = pollSocket(handle, alwaysOut: false, wait: max(0, min(port.longestWait, Self.longestPoll)))
        var code: Int32 = 0
        if ready & Int32(POLLIN | POLLERR | POLLHUP) != 0 { code = handle.read() }
        if code == 0, handle.wantsWrite { code = handle.write() }
        if code == 0, monotonic() >= nextMisc {
            nextMisc = monotonic() + Self.miscInterval
            code = handle.misc()
        }
        deliver(handle, port)
        let disconnect = handle.notes.disconnect
        handle.clearNotes()
        if let reason = disconnect, reason >= 0x80 { return told(UInt8(truncatingIfNeeded: reason), port) }
        if let loss = left(port) { return loss }
        if code != 0 {
            return ConnectionLoss(isRefusal: false, words: "connection lost: \(MosquittoCode(code: code).words)")
        }
        if handle.socket < 0 { return ConnectionLoss(isRefusal: false, words: "the broker closed the connection") }
        return nil
    }

    /// The handler left, or could not publish any more.
    private func left(_ port: SessionPort) -> ConnectionLoss? {
        port.failure.map { ConnectionLoss(isRefusal: false, words: $0, isOurs: port.isLeaving) }
    }

    /// The broker said why it closes; when it wants less at once, the next connection begins with less.
    private func told(_ reason: UInt8, _ port: SessionPort) -> ConnectionLoss {
        if reason == 0x93 || reason == 0x97 { windowStart = max(1, min(windowStart, port.window.size) / 2) }
        return ReasonCode.disconnect(reason)
    }

    /// Callbacks run in `read`, `write` and `misc` alone, so the notes stand still meanwhile.
    private func deliver(_ handle: Handle, _ port: SessionPort) {
        for codes in handle.notes.subacks { handler.subscribed(codes: codes, port: port) }
        for message in handle.notes.messages { handler.received(message, port: port) }
        if !handle.notes.pubacks.isEmpty { proven() }
        for index in handle.notes.pubacks.indices {
            let ack = handle.notes.pubacks[index]
            guard let token = port.answered(ack.mid, reason: ack.reason) else { continue }
            handler.acknowledged(token: token, reason: ack.reason, port: port)
        }
    }

    /// Stops sending, awaits acks, says farewell, disconnects.
    private func shutDown(_ handle: Handle, _ port: SessionPort) -> ConnectionLoss? {
        let drained = monotonic() + Self.drainDeadline
        while port.inFlight > 0, monotonic() < drained, turn(handle, port) == nil {}
        if let farewell = handler.farewell(port), port.publish(farewell, token: .max) == .sent {
            let said = monotonic() + Self.farewellDeadline
            while port.inFlight > 0, monotonic() < said, turn(handle, port) == nil {}
        }
        close(handle)
        return nil
    }

    /// Says DISCONNECT and writes until the socket is gone; without it the broker would publish the Will.
    private func close(_ handle: Handle) {
        handle.disconnect()
        let gone = monotonic() + Self.closeDeadline
        while handle.socket >= 0, monotonic() < gone, handle.write() == 0, handle.wantsWrite {
            _ = pollSocket(handle, alwaysOut: true)
        }
    }

    private func awaitInput(_ handle: Handle, milliseconds: Int32) {
        var watched = pollfd(fd: handle.socket, events: Int16(POLLIN), revents: 0)
        _ = poll(&watched, 1, milliseconds)
    }

    private func pollSocket(_ handle: Handle, alwaysOut: Bool, wait: Int64 = longestPoll) -> Int32 {
        let wantsOut = alwaysOut || handle.wantsWrite
        let socket = pollfd(fd: handle.socket, events: Int16(POLLIN | (wantsOut ? POLLOUT : 0)), revents: 0)
        return withUnsafeTemporaryAllocation(of: pollfd.self, capacity: 2) { watched in
            _ = watched.initialize(fromContentsOf: [socket, pollfd(fd: wake, events: Int16(POLLIN), revents: 0)])
            guard poll(watched.baseAddress, 2, Int32(wait)) > 0 else { return 0 }
            if watched[1].revents != 0 { drainWake() }
            return Int32(watched[0].revents)
        }
    }

    private func pause(_ milliseconds: Int64) {
        let until = monotonic() + milliseconds
        while !isStopping() {
            let left = until - monotonic()
            if left <= 0 { return }
            var watched = pollfd(fd: wake, events: Int16(POLLIN), revents: 0)
            if poll(&watched, 1, Int32(min(left, 1_000))) > 0 { drainWake() }
        }
    }

    private func drainWake() {
        var count: UInt64 = 0
        _ = read(wake, &count, 8)
    }

    private func monotonic() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
