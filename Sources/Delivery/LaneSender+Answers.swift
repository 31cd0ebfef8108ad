import Inventory
import MQTT
import Outbox

// What became of messages: acked, refused, or lost with the connection.

extension LaneSender {
    /// More halvings of a tombstone than this cannot help.
    private static let mostSkips = 16
    private static let tombstoneWait: Int64 = 60_000

    func acknowledged(token: UInt64, reason: UInt8, port: SessionPort) {
        headLosses.heardBroker()
        guard let (lane, run) = Self.run(of: token) else { return }
        let index = Int(lane.rawValue)
        // What is refused while the lane drains went out together with what was refused first.
        let failures = feeds[index].failures - (feeds[index].queue.isDraining ? 1 : 0)
        let verdict = policy.verdict(reason: reason, failures: max(0, failures))
        if verdict == .acked { return acked(run, lane: lane) }
        headLosses.heardRefusal()
        report.refused("\(policy.words(reason: reason)) (lane \(lane.name))")
        if failedSince[lane] == nil { failedSince[lane] = now() }
        if !feeds[index].queue.isDraining { feeds[index].failures += 1 }
        do { try act(on: verdict, lane: lane, run: run, port: port) } catch {
            report.trouble("cannot act on the broker's answer: \(error)")
        }
    }

    private func acked(_ run: Run, lane: Lane) {
        let index = Int(lane.rawValue)
        guard feeds[index].queue.acked(run) else { return }
        feeds[index].failures = 0
        headLosses.passed(lane)
        let watermark = feeds[index].queue.watermark
        watermarks.rose(lane, to: watermark)
        report.acked()
        report.figures.acked(lane, moments[lane].take(through: watermark), at: wallClock())
        if let since = failedSince[lane] {
            report.figures.recovered(lane, after: now() - since)
            failedSince[lane] = nil
        }
    }

    private func act(on verdict: Verdict, lane: Lane, run: Run, port: SessionPort) throws {
        let index = Int(lane.rawValue)
        let moment = now()
        switch verdict {
        case .acked: return
        case .pauseLane(let wait): feeds[index].queue.refused(run, resumeAt: moment + wait, alone: false)
        case .pauseAll(let wait):
            feeds[index].queue.refused(run, resumeAt: moment + wait, alone: false)
            pausedUntil = moment + wait
        case .reconnect: port.disconnect(reason: "the broker reports a packet id in use")
        case .shrinkWindow(let wait):
            port.halveWindow()
            feeds[index].queue.refused(run, resumeAt: moment + wait, alone: false)
        case .isolate:
            let isSingle = run.count == 1
            let hadItsTry = run.last <= feeds[index].queue.singlesUpTo
            feeds[index].queue.refused(run, resumeAt: nil, alone: true)
            if isSingle && hadItsTry { try skip(lane, run.first, reason: "refused by the broker") }
        }
        feeds[index].rewind()
    }

    /// A run that is too large for the broker goes one by one; a single event becomes a tombstone at once.
    func isolate(_ lane: Lane, run: Run) throws {
        let index = Int(lane.rawValue)
        if run.count > 1 {
            feeds[index].queue.sendAlone(upTo: run.last)
        } else if feeds[index].countSkip(run.first) < Self.mostSkips {
            try skip(lane, run.first, reason: "too large for the broker")
        } else {
            feeds[index].queue.pause(until: now() + Self.tombstoneWait)
            report.trouble(
                "the broker takes packets too small even for a tombstone; raise its maximum packet size "
                    + "(lane \(lane.name) waits)")
        }
        feeds[index].rewind()
    }

    private func skip(_ lane: Lane, _ sequence: Int64, reason: String) throws {
        try outbox.skip(lane: lane, sequence: sequence, of: epoch, reason: reason, now: wallClock())
        report.trouble("\(lane.name) \(sequence) could not be sent (\(reason)); a tombstone takes its place")
    }

    /// The connection is gone. A message that costs it again and again is isolated, and in the end replaced by a
    /// tombstone.
    func lost(_ loss: ConnectionLoss) {
        let first = feeds.first { $0.queue.messagesInFlight > 0 }?.queue
        for index in feeds.indices {
            let lane = feeds[index].queue.lane
            if feeds[index].queue.messagesInFlight > 0, failedSince[lane] == nil { failedSince[lane] = now() }
            feeds[index].queue.lost()
        }
        let run = first.flatMap(\.firstInFlight)
        guard let first, let run else { return }
        guard headLosses.lost(lane: first.lane, run: run, blame: HeadLosses.Blame(loss)) == .skip else { return }
        do { try skip(first.lane, run.first, reason: "the broker closes the connection on it") } catch {
            report.trouble("cannot set a message aside: \(error)")
        }
    }
}
