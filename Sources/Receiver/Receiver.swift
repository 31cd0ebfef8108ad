import CLinux
import Glibc
package import Inventory
import MQTT
import Synchronization

/// The reference consumer: a session at a broker, and the core on the session's thread.
package final class Receiver: Sendable {
    /// What others see of it, as of the last commit.
    package struct Snapshot: Sendable {
        package var isSubscribed = false
        package var counts: [String: SiteCounts] = [:]
        package var offsets: [String: (epoch: Epoch, last: ByLane<Int64>)] = [:]
        package var standings: [ReceiverCore.Standing] = []
        /// Why it stopped by itself.
        package var failure: String?
    }

    private let session: MQTTSession
    private let passed: Passed

    /// Opens the file, and prints what the last run left unprinted. Throws `ReceiverError` or `SQLiteError`.
    package convenience init(_ options: ReceiverOptions) throws {
        let made = Passed(core: try ReceiverCore(options))
        self.init(options, made)
    }

    /// Guarded by its use: made on one thread, handed to the session's thread before that one starts.
    private final class Passed: @unchecked Sendable {
        let core: ReceiverCore
        let shared = Mutex(Snapshot())
        let mustDescend = Atomic(false)
        init(core: ReceiverCore) { self.core = core }
    }

    private init(_ options: ReceiverOptions, _ passed: Passed) {
        self.passed = passed
        session = MQTTSession(options: options.mqtt) { ReceiverHandler(options, passed) }
    }

    package func start() { session.start() }

    /// Commits what came, and disconnects; the broker's session stays.
    package func stop() { session.stop() }

    package var snapshot: Snapshot { passed.shared.withLock { $0 } }

    /// Begins a walk down the trees of all sites.
    package func descend() {
        passed.mustDescend.store(true, ordering: .releasing)
        session.wake()
    }

    /// Runs on the session's thread.
    private final class ReceiverHandler: SessionHandler {
        private let options: ReceiverOptions
        private let passed: Passed
        private var core: ReceiverCore { passed.core }
        private var unsent: [Message] = []
        private var hasHeard = false
        private var isSubscribed = false
        private var publishedAt: Int64 = 0

        /// The trees' roots are part of what others see: not for each commit of a burst.
        private static let publishInterval: Int64 = 100

        private static let filtersASubscribe = 100
        private static let mostUnsent = 1_000

        init(_ options: ReceiverOptions, _ passed: Passed) {
            self.options = options
            self.passed = passed
        }

        func willConnect() -> ConnectDecision { .connect(clientIDSuffix: "", will: nil) }

        func connected(_ port: SessionPort) {
            let filters = options.topicFilters
            for start in stride(from: 0, to: filters.count, by: Self.filtersASubscribe) {
                port.subscribe(Array(filters[start..<min(filters.count, start + Self.filtersASubscribe)]))
            }
        }

        func subscribed(codes: [Int32], port: SessionPort) {
            if codes.contains(where: { $0 >= 0x80 }) {
                core.context.notice("the broker refuses a subscription; check its access list for \(options.requester)")
            }
            isSubscribed = true
        }

        func received(_ message: InboundMessage, port: SessionPort) {
            hasHeard = true
            guarded(port) { try core.take(message, wall: Self.wall(), now: Self.monotonic()) }
        }

        func acknowledged(token: UInt64, reason: UInt8, port: SessionPort) {
            if reason >= 0x80 {
                core.context.notice(
                    "the broker refuses a command (0x\(String(reason, radix: 16))); check its access list")
            }
        }

        func refill(_ port: SessionPort) {
            while port.hasRoom, let message = unsent.first {
                guard port.publish(message, token: 1) != .lost else { return }
                unsent.removeFirst()
            }
        }

        func tick(nowMilliseconds: Int64, port: SessionPort?) {
            guard let port else { return }
            if passed.mustDescend.exchange(false, ordering: .acquiringAndReleasing) { core.startDescents() }
            let now = Self.monotonic()
            if core.isCommitDue(now: now, isQuiet: !hasHeard) || !hasHeard { guarded(port) { try commit(now) } }
            hasHeard = false
            port.longestWait = core.nextTurn
            refill(port)
        }

        private func commit(_ now: Int64, asks: Bool = true) throws {
            unsent += try core.commit(wall: Self.wall(), now: now, asks: asks)
            if unsent.count > Self.mostUnsent { unsent.removeFirst(unsent.count - Self.mostUnsent) }
            guard now - publishedAt >= Self.publishInterval || !hasHeard else { return }
            publishedAt = now
            publishSnapshot()
        }

        private func publishSnapshot() {
            let (counts, offsets, standings) = (core.counts, core.offsets, core.standings)
            passed.shared.withLock { shared in
                shared.isSubscribed = isSubscribed
                shared.counts = counts
                shared.offsets = offsets
                shared.standings = standings
            }
        }

        /// A fault of the file ends it: what was not committed comes again at the next start.
        private func guarded(_ port: SessionPort, _ body: () throws -> Void) {
            guard passed.shared.withLock({ $0.failure == nil }) else { return }
            do { try body() } catch {
                passed.shared.withLock { $0.failure = "\(error)" }
                port.disconnect(reason: "the receiver's file cannot be used")
            }
        }

        func lost(_ loss: ConnectionLoss) {
            unsent = []
            core.lost()
            if !loss.isOurs { core.context.notice("broker: \(loss.words)") }
            commitQuietly()
        }

        func farewell(_ port: SessionPort) -> Message? {
            commitQuietly()
            return nil
        }

        private func commitQuietly() {
            guard passed.shared.withLock({ $0.failure == nil }) else { return }
            // The second one notes what the first one let be printed.
            do { for _ in 0..<2 { try commit(Self.monotonic(), asks: false) } } catch {
                passed.shared.withLock { $0.failure = "\(error)" }
            }
        }

        private static func monotonic() -> Int64 { milliseconds(CLOCK_BOOTTIME) }
        private static func wall() -> Timestamp { Timestamp(milliseconds: milliseconds(CLOCK_REALTIME)) }

        private static func milliseconds(_ clock: clockid_t) -> Int64 {
            var time = timespec()
            clock_gettime(clock, &time)
            return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
        }
    }
}
