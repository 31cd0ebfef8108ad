import Glibc
import Inventory
import SQLite

// What a drop source does next: goes on where a checkpoint stood, waits for a technician's word, or looks into its
// directory for the file whose turn it is.

extension DropSource {
    /// Looking takes at most this part of the time.
    private static let lookShare: Int64 = 20

    /// What a checkpoint stood in the middle of.
    func resume(
        _ round: DropRound, _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) throws {
        if state.telling != nil { return start(.telling) }
        if state.checking != nil { return start(.checking) }
        if state.reading == nil { try beginAskedCheck(round) }
        guard state.reading != nil else { return }
        try look(round, &result)
        guard listedAt != .min else { return }
        try resumeReading(queue.entries, round, &records, &result)
    }

    func choose(
        _ round: DropRound, _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) throws {
        if let hold, !isStillThere(heldUnit) {
            result.notices.append("\(hold.reason): it went away or was changed, and is held no more")
            self.hold = nil
            listedAt = .min
        }
        if let hold {
            result.hold = hold
            result.status = "held: \(hold.reason); waybill sources accept \(name), or reject"
            // A technician's word opens the source anew; meanwhile nothing passes what is held.
            return
        }
        try look(round, &result)
        switch queue.next(monotonic: round.monotonic) {
        case .idle: result.isAtEnd = true
        case .leave(let reason):
            result.isAtEnd = true
            wait(reason, round, &result)
        case .wait(let reason): wait(reason, round, &result)
        case .read(let unit): try open(unit, round, &records, &result)
        }
    }

    private func wait(_ reason: String, _ round: DropRound, _ result: inout PipelineRead) {
        result.status = "waiting: \(reason)"
        if let change = queue.nextChange(monotonic: round.monotonic) { nextLook = min(nextLook, change) }
    }

    private func isStillThere(_ unit: DropUnit?) -> Bool {
        unit?.entries.allSatisfy { entry in
            let file = TailFile(path: "\(directory)/\(entry.name)")
            return file.map(entry.isStateOf) ?? (errno != ENOENT)
        } ?? true
    }

    private func look(_ round: DropRound, _ result: inout PipelineRead) throws {
        let hasNews = watch.drain() || listedAt == .min
        let due = listedAt == .min ? .min : listedAt + max(Self.lookInterval, listingCost * Self.lookShare)
        let mayBe = listedAt == .min ? .min : listedAt + listingCost * Self.lookShare
        let isDue = round.monotonic >= due || hasNews && round.monotonic >= mayBe
        // More was there than one look takes: what follows is asked for, and what is behind it waits for the next whole look.
        let rest = isDue || !queue.isEmpty ? nil : cutAt
        guard isDue || rest != nil else { return }
        let began = beginning.workClock()
        guard
            let listing = DropListing(
                directory, pattern: pattern, settings: settings, from: rest, isKnown: isKnown)
        else {
            listedAt = .min
            result.status = "waiting: \(directory): \(String(cString: strerror(errno)))"
            return
        }
        if rest == nil {
            listingCost = beginning.workClock() - began
            listedAt = round.monotonic
        }
        cutAt = listing.isCut ? listing.entries.last?.order : nil
        queue.show(listing, monotonic: round.monotonic)
        if chores.isEmpty { try catchUp(listing.left, round.memory) }
    }

    /// Read before, or left out by the first start, or by what a memory that is gone stood for.
    private func isKnown(_ entry: DropEntry) -> Bool {
        if !floor.isEmpty, !floor.precedesInBytes(entry.order) { return true }
        return known.contains(Digest(sha256: entry.stamp).prefix8)
    }
}
