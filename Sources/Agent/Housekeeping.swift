import Delivery
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
    private var nextPrune: Int64 = 0

    init(outbox: Outbox, watermarks: Watermarks, stop: StopFlag, logger: Logger) {
        self.outbox = outbox
        self.watermarks = watermarks
        self.stop = stop
        self.logger = logger
    }

    func run() {
        while !stop.isSet {
            watermarks.wait(milliseconds: 1_000)
            turn()
        }
        turn()
    }

    private func turn() {
        do {
            let pending = watermarks.take()
            if !pending.isEmpty { try outbox.acknowledge(pending) }
            guard Clocks.monotonic() >= nextPrune else { return }
            if try outbox.prune(now: Clocks.wall()) == 0 { nextPrune = Clocks.monotonic() + pruneInterval }
        } catch {
            logger.error("housekeeping failed", metadata: ["error": "\(error)"])
            nextPrune = Clocks.monotonic() + pruneInterval
        }
    }
}
