import Contract
import Inventory

// What the retained messages of a site say, and what follows from it.

extension SiteFollower {
    func take(_ announced: MetaAnnouncement) throws {
        guard let epoch = Epoch(announced.epoch) else { return try malformed("a meta without an epoch") }
        meta = announced
        if announced.retention.milliseconds > 0, announced.retention.milliseconds != row.retention {
            try context.store.begin()
            row.retention = announced.retention.milliseconds
            try context.store.update(row)
        }
        if present.map({ epoch > $0.epoch }) ?? true { try begin(epoch) }
        try learnEnds()
    }

    /// `isRetained`: a copy that the broker kept; it may be old.
    func take(_ announced: BeaconAnnouncement, isRetained: Bool) throws {
        guard let epoch = Epoch(announced.epoch) else { return try malformed("a beacon without an epoch") }
        if present.map({ epoch > $0.epoch }) ?? true { try begin(epoch) }
        guard let state = present else { return }
        guard epoch == state.epoch else {
            // An older epoch from a living agent: it does not know what we know.
            if !isRetained { tellGreaterEpoch(state) }
            return
        }
        beacon = announced
        try context.store.begin()
        try context.store.note(beacon: String(decoding: try wireBytes(announced), as: UTF8.self), of: row.id)
        for line in announced.lanes {
            guard let lane = Lane(name: line.name) else { continue }
            try compare(line, lane, isRetained: isRetained)
        }
        isNewHere = false
        compareRoot(announced)
    }

    private func tellGreaterEpoch(_ state: EpochState) {
        let lane = Lane.allCases.max { state.lanes[$0].follower.last < state.lanes[$1].follower.last } ?? .critical
        let line = state.lanes[lane]
        sendReceipt(
            lane, max(1, line.follower.last), line.lastID ?? EventID(high: 0x8000, low: 1 << 63), state.epoch)
    }

    private func compare(_ line: BeaconAnnouncement.LaneLine, _ lane: Lane, isRetained: Bool) throws {
        guard let state = present else { return }
        let last = state.lanes[lane].follower.last
        if line.head < last, !isRetained, let id = state.lanes[lane].lastID {
            try suspect(lane, last, id, state.epoch, "the beacon's head \(line.head) is below \(last)")
        }
        // Two beacons with the same gap behind the last event, and nothing came between them.
        if line.acked > last, tailSeen[lane] == last + 1 || isNewHere {
            present?.lanes[lane].follower.expect(upTo: line.acked, now: context.now)
            if state.lanes[lane].gapAt == nil {
                present?.lanes[lane].gapAt = context.now
                counts.gaps += 1
                try context.log(
                    "gap", self, lane: lane, epoch: state.epoch, last + 1...line.acked, "the last events did not come")
            }
        }
        tailSeen[lane] = line.acked > last ? last + 1 : 0
    }

    /// Equal offsets and another root: somewhere the stock differs.
    private func compareRoot(_ announced: BeaconAnnouncement) {
        guard let root = announced.tree, isLevel(announced), snapshot == nil, scopes.isEmpty else { return }
        guard book.hash(of: .root) != root, descent == nil else { return }
        descent = Descent()
    }

    private func isLevel(_ announced: BeaconAnnouncement) -> Bool {
        announced.lanes.allSatisfy { line in
            Lane(name: line.name).map { present?.lanes[$0].follower.last == line.head } ?? false
        }
    }

    func take(_ announced: StateAnnouncement) {
        // An older session's Will comes late: the greater one counts.
        guard announced.session >= lastSession else { return }
        lastSession = announced.session
        if announced.state == "offline" {
            context.notice("\(identity.site) is offline (\(announced.reason ?? "no reason"))")
        }
    }

    func malformed(_ words: String) throws {
        counts.malformed += 1
        guard counts.malformed <= 1_000 else { return }
        try context.store.begin()
        try context.log("malformed", self, nil, words)
    }
}
