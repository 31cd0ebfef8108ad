import CLinux
package import Delivery
import Glibc
import Ingest
import Inventory
package import Logging
import MQTT
package import Outbox

/// The whole agent: an outbox, a thread that captures, one that publishes, one that keeps house.
package final class RunningAgent {
    package let report: DeliveryReport
    private let outbox: Outbox
    private let current: CurrentConfiguration
    private let logger: Logger
    private let session: MQTTSession
    private let watermarks: Watermarks
    private let stop = StopFlag()
    private let captureStop = StopFlag()
    private let pulse = Pulse()
    private var threads: [OwnedThread] = []
    private var check: OwnedThread?
    private static let rebootWindow: Int64 = 10 * 60_000
    private let control: ControlServer
    private let board = RepairBoard()
    private let service: ServiceNotification

    /// Locks the data directory, opens the outbox, binds the control socket, and starts; never waits for the broker.
    /// Throws what an operator has to mend: configuration, lock, socket, mapping.
    package init(
        _ configuration: Configuration, logger: Logger, environment: (String) -> String? = { _ in nil }
    ) throws {
        for definition in configuration.sources {
            _ = try definition.reader(
                site: configuration.site, rules: configuration.inventory, beginning: SourceBeginning())
        }
        let outbox = try Outbox(configuration.outbox, now: Clocks.wall())
        for aside in outbox.asides {
            logger.error("the outbox was damaged and is begun anew", metadata: ["kept": "\(aside)"])
        }
        let report = DeliveryReport(now: Clocks.wall) { logger.warning("delivery", metadata: ["reason": "\($0)"]) }
        let watermarks = Watermarks()
        let delivery = configuration.delivery
        self.outbox = outbox
        self.logger = logger
        current = CurrentConfiguration(configuration)
        self.report = report
        self.watermarks = watermarks
        // Few threads allocate at once; more arenas only keep more freed memory.
        mallopt(M_ARENA_MAX, 2)
        service = ServiceNotification(environment: environment)
        control = try ControlServer(
            path: configuration.controlSocket, page: configuration.page,
            desk: ControlDesk(current: current, outbox: outbox, report: report, board: board, pulse: pulse),
            logger: logger)
        session = MQTTSession(options: configuration.mqtt) { [board] in
            Publisher(
                outbox: outbox, settings: delivery, report: report, watermarks: watermarks, board: board,
                now: Clocks.monotonic,
                wallClock: Clocks.wall)
        }
        ProgramCode.release()
        start()
        checkAfterReboot(logger)
        service.ready("\(configuration.sources.count) sources, control socket \(configuration.controlSocket)")
    }

    /// A machine that went down without a clean stop may have damaged the file: looked for beside the work.
    private func checkAfterReboot(_ logger: Logger) {
        guard !outbox.wasClosed, Clocks.monotonic() < Self.rebootWindow else { return }
        check = OwnedThread(name: "waybill-check") { [outbox, report] in
            do {
                let problems = try outbox.verify()
                guard let first = problems.first else { return }
                logger.error("the outbox is damaged", metadata: ["problem": "\(first)", "count": "\(problems.count)"])
                report.damaged("outbox damaged: \(first)")
            } catch {
                logger.error("the check of the outbox ended early", metadata: ["error": "\(error)"])
                report.damaged("the outbox could not be checked: \(error)")
            }
        }
    }

    /// Takes sources, mappings, lookup tables and the outbox's limits from another configuration, without touching the
    /// connection. Returns what has to wait for the next start, in words. Throws, and changes nothing, when a source
    /// cannot be used.
    package func reload(_ configuration: Configuration) throws -> [String] {
        for definition in configuration.sources {
            _ = try definition.reader(
                site: configuration.site, rules: configuration.inventory, beginning: SourceBeginning())
        }
        var next = configuration
        let before = current.value
        let waiting = before.differences(fromStart: configuration)
        next.keep(startOf: before)
        try outbox.adopt(limitsOf: configuration.outbox)
        current.replace(with: next)
        return waiting.map { "[\($0)] changed: it takes effect at the next start" }
    }

    private func start() {
        session.start()
        threads.append(
            OwnedThread(name: "waybill-keep") { [current, outbox, report, watermarks, stop, service, pulse, logger] in
                Housekeeping(
                    current: current, outbox: outbox, report: report, watermarks: watermarks, stop: stop,
                    logger: logger,
                    service: service, pulse: pulse
                ).run()
            })
        threads.append(
            OwnedThread(name: "waybill-ingest") { [outbox, report, captureStop, session, pulse, current, logger] in
                IngestLoop(
                    current: current, outbox: outbox, report: report, stop: captureStop, logger: logger,
                    pulse: pulse, committed: { session.wake() }
                ).run()
            })
    }

    /// Stops capture, awaits what is in flight, says farewell, stores the watermarks; within about 10 s.
    package func shutDown() {
        service.stopping()
        control.stop()
        captureStop.set()
        threads.popLast()?.join()
        session.stop()
        stop.set()
        watermarks.nudge()
        threads.popLast()?.join()
        check?.join()
        try? outbox.close()
    }

    package var controlSocket: String { current.value.controlSocket }

    package var progress: Progress { outbox.progress }
}
