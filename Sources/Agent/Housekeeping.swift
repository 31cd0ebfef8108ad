import CLinux
import Delivery
import Glibc
import Ingest
import Inventory
import Logging
import Outbox

/// One thread that writes acked watermarks and prunes in small steps, so that neither waits on the other threads.
final class Housekeeping {
    private let outbox: Outbox
    private let watermarks: Watermarks
    private let stop: StopFlag
    private let logger: Logger
    private let pruneInterval: Int64 = 1_000
    /// Between two steps while there is more to prune: an outbox at its limit must not wait for long, nor its neighbours
    /// for the disk.
    private let pruneStep: Int64 = 50
    /// Pages of the stock tree a turn: about 50,000 keys.
    private static let treePages = 100
    private let service: ServiceNotification
    private let pulse: Pulse
    private var sampler: LagSampler
    private var nextPrune: Int64 = 0
    private var nextSign: Int64 = 0
    private var nextTrim: Int64 = 0
    private let current: CurrentConfiguration
    private var schedule: (minute: Int64?, value: ReconcileSchedule?) = (nil, nil)

    init(
        current: CurrentConfiguration, outbox: Outbox, report: DeliveryReport, watermarks: Watermarks, stop: StopFlag,
        logger: Logger,
        service: ServiceNotification, pulse: Pulse
    ) {
        sampler = LagSampler(outbox: outbox, report: report, monotonic: Clocks.monotonic())
        self.current = current
        self.service = service
        self.pulse = pulse
        self.outbox = outbox
        self.watermarks = watermarks
        self.stop = stop
        self.logger = logger
    }

    func run() {
        while !stop.isSet {
            watermarks.wait(milliseconds: Int32(clamping: min(1_000, max(1, nextPrune - Clocks.monotonic()))))
            turn()
            sampleLag()
            signLife()
            giveMemoryBack()
            reconcile()
        }
        turn()
        sampleLag(isLast: true)
    }

    private func sampleLag(isLast: Bool = false) {
        do { try sampler.turn(now: Clocks.wall(), monotonic: Clocks.monotonic(), isLast: isLast) } catch {
            logger.error("the history of lag could not be kept", metadata: ["error": "\(error)"])
        }
    }

    /// Once a day, where the configuration says when.
    private func reconcile() {
        let (configuration, now) = (current.value, Clocks.wall())
        if configuration.reconcileAt != schedule.minute {
            let minute = configuration.reconcileAt
            schedule = (minute, ReconcileSchedule(minute: minute, timeZone: configuration.timeZone, now: now))
        }
        guard schedule.value?.isDue(now) == true else { return }
        for source in configuration.sources where source.drop?.full?.checks != nil {
            do { try outbox.reconcile(source.name, ReconcileRequest(at: now, isFix: false), actor: "schedule") } catch {
                logger.error("the reconciliation could not be begun", metadata: ["error": "\(error)"])
            }
        }
        current.reopenSources()
    }

    /// Gives memory back four times a minute, and first right after the start: a burst must not stay in the resident size for
    /// ever, nor the large part of the program's code that only starting needs.
    private func giveMemoryBack() {
        guard Clocks.monotonic() >= nextTrim else { return }
        nextTrim = Clocks.monotonic() + 15_000
        try? outbox.releaseMemory()
        malloc_trim(0)
        ProgramCode.release()
    }

    /// The watchdog is fed by progress: this thread turned, and capture did within a minute.
    private func signLife() {
        let now = Clocks.monotonic()
        guard let interval = service.watchdogInterval, now >= nextSign, now - pulse.last < 60_000 else { return }
        nextSign = now + interval
        service.alive()
    }

    /// Only after a start, or after the file had to be opened again, is there anything to do. Acks must not wait long.
    private func buildTree() throws {
        for _ in 0..<Self.treePages {
            if try outbox.buildTree() { return }
        }
    }

    private func turn() {
        do {
            let (epoch, pending) = watermarks.take()
            if !pending.isEmpty { try outbox.acknowledge(pending, of: epoch, now: Clocks.wall()) }
            guard Clocks.monotonic() >= nextPrune else { return }
            try buildTree()
            let count = try outbox.prune(now: Clocks.wall(), monotonic: Clocks.monotonic())
            nextPrune = Clocks.monotonic() + (count == 0 && outbox.hasTree ? pruneInterval : pruneStep)
        } catch {
            logger.error("housekeeping failed", metadata: ["error": "\(error)"])
            nextPrune = Clocks.monotonic() + pruneInterval
        }
    }
}
