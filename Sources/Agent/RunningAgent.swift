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
    private let session: MQTTSession
    private let watermarks: Watermarks
    private let stop = StopFlag()
    private let captureStop = StopFlag()
    private var threads: [OwnedThread] = []

    /// Opens the outbox and starts. Throws what an operator has to mend: configuration, lock, mapping.
    package init(_ configuration: Configuration, logger: Logger) throws {
        for definition in configuration.sources {
            _ = try SourcePipeline(
                definition, site: configuration.site, rules: configuration.inventory, checkpoint: nil)
        }
        let outbox = try Outbox(configuration.outbox, now: Clocks.wall())
        let report = DeliveryReport { logger.warning("delivery", metadata: ["reason": "\($0)"]) }
        let watermarks = Watermarks()
        let delivery = configuration.delivery
        self.outbox = outbox
        self.report = report
        self.watermarks = watermarks
        session = MQTTSession(options: configuration.mqtt) {
            Publisher(
                outbox: outbox, settings: delivery, report: report, watermarks: watermarks, now: Clocks.monotonic,
                wallClock: Clocks.wall)
        }
        start(configuration, logger)
    }

    private func start(_ configuration: Configuration, _ logger: Logger) {
        session.start()
        threads.append(
            OwnedThread(name: "waybill-keep") { [outbox, watermarks, stop] in
                Housekeeping(outbox: outbox, watermarks: watermarks, stop: stop, logger: logger).run()
            })
        threads.append(
            OwnedThread(name: "waybill-ingest") { [outbox, report, captureStop, session] in
                IngestLoop(
                    configuration: configuration, outbox: outbox, report: report, stop: captureStop, logger: logger,
                    committed: { session.wake() }
                ).run()
            })
    }

    /// Stops capture, awaits what is in flight, says farewell, stores the watermarks; within about 10 s.
    package func shutDown() {
        captureStop.set()
        threads.popLast()?.join()
        session.stop()
        stop.set()
        watermarks.nudge()
        threads.popLast()?.join()
    }

    package var progress: Progress { outbox.progress }
}
