import Foundation
import Synchronization

@testable import Agent

// A TCP proxy on loopback that damages MQTT connections on demand: resets, swallowed PUBACKs, stalls, half-open links.
// One thread pumps all connections; a fault holds until the next one is set.

final class FaultProxy: Sendable {
    enum Fault: CaseIterable {
        /// Bytes pass.
        case none
        /// Acknowledgements of the broker never arrive; everything else does.
        case swallowPubacks
        /// Nothing is read any more, so both ends fill their buffers.
        case stall
        /// Everything is taken and nothing passed on, as behind a router that lost its table.
        case halfOpen
    }

    let port: UInt16
    private let listener: Int32
    private let upstream: UInt16
    private let state = Mutex(State())

    private struct State {
        var fault = Fault.none
        var mustCut = false
        var isCutting = false
        var isStopping = false
        var cuts = 0
        var swallowed = 0
        var links = 0
        var messageRefusal: UInt8?
        var subscriptionRefusal: UInt8?
        var refused = 0
        var isRecording = false
        var recorded: [UInt8] = []
    }

    init(upstream: UInt16) throws {
        self.upstream = upstream
        (listener, port) = try Loopback.bind(backlog: 16)
        Thread.detachNewThread { [self] in Pump(proxy: self).run() }
    }

    /// Connections that were reset so far.
    var cuts: Int { state.withLock { $0.cuts } }
    /// PUBACKs that were swallowed so far.
    var swallowed: Int { state.withLock { $0.swallowed } }

    /// PUBACKs that were turned into refusals so far.
    var refused: Int { state.withLock { $0.refused } }
    /// What clients sent since `record()`.
    var recorded: [UInt8] { state.withLock { $0.recorded } }

    func record() { state.withLock { $0.isRecording = true } }

    /// From now on acknowledgements arrive as refusals with these reasons (MQTT 5); nil: as they are. The broker took
    /// the messages all the same.
    func refuse(messages: UInt8? = nil, subscriptions: UInt8? = nil) {
        state.withLock { state in
            state.messageRefusal = messages
            state.subscriptionRefusal = subscriptions
        }
    }

    func set(_ fault: Fault) { state.withLock { $0.fault = fault } }

    /// Resets all connections (RST, not FIN), of which there has to be one, and lets new ones be healthy; returns when
    /// that is done.
    func cut() {
        Demo.wait(until: Clocks.monotonic() + 10_000) { state.withLock { $0.links > 0 } }
        state.withLock { state in
            state.mustCut = true
            state.isCutting = true
            state.fault = .none
        }
        Demo.wait(until: Clocks.monotonic() + 5_000) { state.withLock { !$0.isCutting } }
    }

    func stop() { state.withLock { $0.isStopping = true } }

    /// The pumping thread's own state.
    private final class Pump {
        private struct Link {
            var client: Int32
            var broker: Int32
            /// What came from the broker and is no whole packet yet.
            var partial: [UInt8] = []
        }

        private let proxy: FaultProxy
        private var links: [Link] = []

        init(proxy: FaultProxy) { self.proxy = proxy }

        func run() {
            while true {
                let (fault, mustCut, isStopping) = proxy.state.withLock { state in
                    defer { state.mustCut = false }
                    state.links = links.count
                    return (state.fault, state.mustCut, state.isStopping)
                }
                if mustCut || isStopping { resetAll() }
                if isStopping {
                    close(proxy.listener)
                    return
                }
                turn(fault)
            }
        }

        private func turn(_ fault: Fault) {
            var watched = [pollfd(fd: proxy.listener, events: Int16(POLLIN), revents: 0)]
            if fault != .stall {
                for link in links {
                    watched.append(pollfd(fd: link.client, events: Int16(POLLIN), revents: 0))
                    watched.append(pollfd(fd: link.broker, events: Int16(POLLIN), revents: 0))
                }
            }
            guard poll(&watched, nfds_t(watched.count), 5) > 0 else { return }
            var ended: [Int] = []
            for index in links.indices where watched.count > 2 + 2 * index {
                let isOver =
                    watched[1 + 2 * index].revents != 0 && !pass(index, fromBroker: false, fault)
                    || watched[2 + 2 * index].revents != 0 && !pass(index, fromBroker: true, fault)
                if isOver { ended.append(index) }
            }
            for index in ended.reversed() { end(links.remove(at: index)) }
            if watched[0].revents != 0 { accept() }
        }

        private func accept() {
            let client = Loopback.accept(proxy.listener)
            guard client >= 0 else { return }
            guard let broker = Loopback.connect(port: proxy.upstream) else {
                close(client)
                return
            }
            links.append(Link(client: client, broker: broker))
        }

        /// False when the connection is over.
        private func pass(_ index: Int, fromBroker: Bool, _ fault: Fault) -> Bool {
            let (from, to) =
                fromBroker ? (links[index].broker, links[index].client) : (links[index].client, links[index].broker)
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            let count = recv(from, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count < 0 { return errno == EAGAIN }
            if count == 0 { return false }
            var bytes = Array(buffer[..<count])
            if fault == .halfOpen { return true }
            if fromBroker {
                bytes = wholePackets(index, bytes, withoutPubacks: fault == .swallowPubacks)
            } else {
                proxy.state.withLock { if $0.isRecording { $0.recorded += bytes } }
            }
            return send(bytes, to: to)
        }

        private func send(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }

        /// Cuts what the broker says into packets (MQTT 5, section 2.1) and leaves PUBACKs out.
        private func wholePackets(_ index: Int, _ bytes: [UInt8], withoutPubacks: Bool) -> [UInt8] {
            links[index].partial += bytes
            let all = links[index].partial
            var passed: [UInt8] = []
            var start = 0
            while let end = Self.packetEnd(all, from: start) {
                let isPuback = all[start] >> 4 == 4
                if isPuback && withoutPubacks {
                    proxy.state.withLock { $0.swallowed += 1 }
                } else {
                    passed += answer(all[start..<end])
                }
                start = end
            }
            links[index].partial = Array(all[start...])
            return passed
        }

        /// The packet as it is, or as a refusal (MQTT 5, sections 3.4 and 3.9).
        private func answer(_ packet: ArraySlice<UInt8>) -> [UInt8] {
            proxy.state.withLock { state in
                var packet = Array(packet)
                if packet[0] >> 4 == 4, let reason = state.messageRefusal {
                    state.refused += 1
                    return [0x40, 4, packet[2], packet[3], reason, 0]
                }
                if packet[0] >> 4 == 9, let reason = state.subscriptionRefusal {
                    for index in 5..<packet.count { packet[index] = reason }
                }
                return packet
            }
        }

        private static func packetEnd(_ bytes: [UInt8], from start: Int) -> Int? {
            var length = 0
            var shift = 0
            var index = start + 1
            while index < bytes.count, shift < 28 {
                length |= Int(bytes[index] & 0x7F) << shift
                index += 1
                if bytes[index - 1] & 0x80 == 0 { return index + length <= bytes.count ? index + length : nil }
                shift += 7
            }
            return nil
        }

        private func resetAll() {
            defer { proxy.state.withLock { $0.isCutting = false } }
            proxy.state.withLock { $0.cuts += links.count }
            for link in links {
                for descriptor in [link.client, link.broker] {
                    var hard = linger(l_onoff: 1, l_linger: 0)
                    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
                }
                end(link)
            }
            links = []
        }

        private func end(_ link: Link) {
            close(link.client)
            close(link.broker)
        }
    }
}

/// Answers each connection's first packet with the same bytes and closes.
final class ScriptedBroker: Sendable {
    let port: UInt16
    private let listener: Int32

    init(says bytes: [UInt8]) throws {
        let (listener, port) = try Loopback.bind(backlog: 16)
        self.listener = listener
        self.port = port
        Thread.detachNewThread {
            while true {
                let client = Loopback.accept(listener)
                guard client >= 0 else {
                    // Here, where nobody accepts on it any more: its number may be somebody else's from now on.
                    close(listener)
                    return
                }
                var buffer = [UInt8](repeating: 0, count: 4_096)
                _ = recv(client, &buffer, buffer.count, 0)
                _ = send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                shutdown(client, Int32(SHUT_WR))
                _ = recv(client, &buffer, buffer.count, 0)
                close(client)
            }
        }
    }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }
}
