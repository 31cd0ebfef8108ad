import Contract
import Inventory

// An event's way to its effect: repeats are dropped, what comes too early waits, the same sequence is the same event.

extension SiteFollower {
    /// An event with a place in a lane. `payload` is valid during the call only.
    func take(_ event: ReceivedEvent, _ payload: UnsafeRawBufferPointer, isReplay: Bool) throws {
        guard let (lane, sequence) = event.place else { return }
        if event.epoch > present?.epoch ?? event.epoch || present == nil { try begin(event.epoch) }
        if let place = ended.firstIndex(where: { $0.epoch == event.epoch }) {
            // A copy, since what follows looks at all ended epochs.
            var state = ended[place]
            try take(event, payload, lane, sequence, &state, isReplay: isReplay)
            ended[place] = state
            try settle(place)
        } else if var state = present, state.epoch == event.epoch {
            present = nil
            defer { present = state }
            try take(event, payload, lane, sequence, &state, isReplay: isReplay)
        } else {
            counts.redelivered += 1
        }
    }

    private func take(
        _ event: ReceivedEvent, _ payload: UnsafeRawBufferPointer, _ lane: Lane, _ sequence: Int64,
        _ state: inout EpochState, isReplay: Bool
    ) throws {
        if isReplay { requests.moved(.replay(epoch: state.epoch, lane), now: context.now) }
        let verdict = state.lanes[lane].follower.take(sequence, now: context.now) {
            .init(event: event, payload: [UInt8](payload))
        }
        switch verdict {
        case .repeated:
            counts.redelivered += 1
            try compare(event, lane, sequence, &state)
        case .parked, .overflow:
            if state.lanes[lane].gapAt == nil {
                state.lanes[lane].gapAt = context.now
                counts.gaps += 1
                let last = state.lanes[lane].follower.last
                try context.log(
                    "gap", self, lane: lane, epoch: state.epoch, last + 1...sequence - 1, "events are missing")
            }
            if verdict == .overflow { context.notice("\(identity.site): too much is parked; it is asked for again") }
        case .apply:
            if isReplay { counts.repaired += 1 }
            try apply(event, payload, lane, sequence, &state)
            while let parked = state.lanes[lane].follower.next(), let place = parked.event.place {
                try parked.payload.withUnsafeBytes { try apply(parked.event, $0, lane, place.sequence, &state) }
            }
            try noteFilled(lane, &state)
        }
    }

    func noteFilled(_ lane: Lane, _ state: inout EpochState) throws {
        guard let since = state.lanes[lane].gapAt, state.lanes[lane].follower.missing == nil else { return }
        state.lanes[lane].gapAt = nil
        try context.log(
            "filled", self, lane: lane, epoch: state.epoch, nil,
            "all up to \(state.lanes[lane].follower.last) is there, after \(context.now - since) ms")
    }

    /// The effect of an event, in the transaction of its offset.
    func apply(
        _ event: ReceivedEvent, _ payload: UnsafeRawBufferPointer, _ lane: Lane, _ sequence: Int64,
        _ state: inout EpochState
    ) throws {
        try store.begin()
        let mark = ReceivedEventMark(id: event.id, record: event.recordHash)
        state.lanes[lane].lastID = event.id
        state.lanes[lane].isDirty = true
        state.lanes[lane].movedAt = context.now
        for line in event.lines { try book.take(line, epoch: state.number, mark: row.mark, isSnapshot: false) }
        if event.isSkipped {
            ask(SnapshotScope(sku: event.subject), why: "a tombstone stands for \(lane.name) \(sequence)")
        }
        let isKnown = try hasSeen && store.wasSeen(mark, site: row.id)
        if isKnown { counts.known += 1 } else { try context.effect(payload, site: row.id) }
        if !ended.isEmpty, !isKnown {
            try store.noteSeen(mark, site: row.id, at: context.wall)
            hasSeen = true
        }
        try store.note(mark, epoch: state.number, lane: lane, sequence: sequence, at: context.wall)
        counts.received += isKnown ? 0 : 1
        context.uncommitted += 1
    }

    /// The same sequence has to be the same event: anything else is a fork.
    private func compare(_ event: ReceivedEvent, _ lane: Lane, _ sequence: Int64, _ state: inout EpochState) throws {
        guard state.lanes[lane].follower.last >= sequence,
            let known = try store.id(epoch: state.number, lane: lane, sequence: sequence), known != event.id,
            state.lanes[lane].suspected.count < 100, state.lanes[lane].suspected.insert(sequence).inserted
        else { return }
        try suspect(lane, sequence, known, state.epoch, "another event came for \(lane.name) \(sequence)")
    }

    func suspect(_ lane: Lane, _ sequence: Int64, _ id: EventID, _ epoch: Epoch, _ words: String) throws {
        try store.begin()
        counts.forks += 1
        try context.log("fork", self, lane: lane, epoch: epoch, sequence...sequence, words)
        sendReceipt(lane, sequence, id, epoch)
    }
}
