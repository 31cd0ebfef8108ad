import Contract
import Inventory

// Snapshots and walks down the trees.

extension SiteFollower {
    // MARK: snapshots

    func askForSnapshot() throws {
        guard requests.mayAsk(.resync, now: context.now), let epoch = present?.epoch else { return }
        if let taker = snapshot {
            guard taker.stored.isOwn else { return }
            return resume(taker, epoch)
        }
        guard !scopes.isEmpty else { return }
        let wanted = scopes.removeFirst()
        let (scope, why) = (wanted.scope, wanted.why)
        try context.store.begin()
        let asked = context.ask(.resync, topics, clockOffset: requests.clockOffset) { Self.fill(&$0, scope) }
        requests.asked(.resync, id: asked.id, now: context.now)
        row.mark += 1
        try store(SnapshotTaker.begin(asked.id, epoch: epoch, mark: row.mark, scope: scope, isOwn: true, why: why))
        try context.log("snapshot", self, epoch: epoch, nil, "asked for \(Self.words(scope)): \(why)")
    }

    private func resume(_ taker: SnapshotTaker, _ epoch: Epoch) {
        let asked = context.ask(.resync, topics, clockOffset: requests.clockOffset) { request in
            Self.fill(&request, taker.scope)
            guard let place = taker.stored.place else { return }
            request.snapshot = taker.stored.snapshot
            request.resume = place
            request.epoch = epoch.text
        }
        requests.asked(.resync, id: asked.id, now: context.now)
        guard taker.stored.place == nil else {
            snapshot?.resumed()
            return
        }
        // Nothing of it came: it begins under the new request's name.
        var stored = taker.stored
        stored.snapshot = asked.id
        snapshot = SnapshotTaker(stored, isResumed: false)
    }

    private static func fill(_ request: inout CommandRequest, _ scope: SnapshotScope) {
        request.sku = scope.sku.isEmpty ? nil : scope.sku
        request.location = scope.location.isEmpty ? nil : scope.location
        request.leaf = scope.leaf.map { TreeNode.leaf($0).description }
    }

    private static func words(_ scope: SnapshotScope) -> String {
        if let leaf = scope.leaf { return "leaf \(TreeNode.leaf(leaf))" }
        return scope.isAll ? "all stock" : "SKU \(scope.sku) location \(scope.location)"
    }

    /// One that the agent's side sent by itself, and that goes on no more, must not hold up all others.
    func dropStalledSnapshot() throws {
        guard let taker = snapshot, !taker.stored.isOwn, context.now - snapshotMovedAt > Requests.patience else {
            return
        }
        try dropSnapshot(askAgain: false)
    }

    private func store(_ stored: SnapshotTaker.Stored) throws {
        snapshot = SnapshotTaker(stored, isResumed: false)
        snapshotMovedAt = context.now
        try keep(stored)
    }

    private func keep(_ stored: SnapshotTaker.Stored?) throws {
        row.snapshot = try stored.map { String(decoding: try wireBytes($0), as: UTF8.self) }
        try context.store.update(row)
    }

    /// Events of a message that a snapshot carries.
    func take(snapshot events: [ReceivedEvent], payload: [UInt8]) throws {
        guard let first = events.first, let name = first.snapshot else { return }
        if first.type == SnapshotEvent.begin { return try takeBegin(first, name) }
        guard snapshot?.stored.snapshot == name, first.epoch == present?.epoch else { return }
        requests.moved(.resync, now: context.now)
        snapshotMovedAt = context.now
        if snapshot?.scope.leaf != nil { counts.repairBytes += payload.count }
        if first.type == SnapshotEvent.end { return try take(end: first) }
        snapshot?.take(chunk: events.flatMap(\.lines), payload: payload)
    }

    private func takeBegin(_ event: ReceivedEvent, _ name: String) throws {
        if present.map({ event.epoch > $0.epoch }) ?? true { try begin(event.epoch) }
        guard event.epoch == present?.epoch else { return }
        if snapshot?.stored.snapshot == name {
            snapshot?.begun()
            return
        }
        // One that we did not ask for: a technician had it sent.
        guard snapshot == nil, let totals = event.snapshotTotals else { return }
        try context.store.begin()
        row.mark += 1
        let leaf = totals.leaf.flatMap { TreeNode($0) }.map { UInt16($0.index) }
        let scope = SnapshotScope(sku: totals.sku ?? "", location: totals.location ?? "", leaf: leaf)
        try store(
            SnapshotTaker.begin(
                name, epoch: event.epoch, mark: row.mark, scope: scope, isOwn: false, why: "sent by the agent's side"))
        snapshot?.begun()
        try context.log("snapshot", self, epoch: event.epoch, nil, "\(Self.words(scope)) is sent by the agent's side")
    }

    func takeChunk(_ reply: CommandReply) throws {
        guard let chunk = reply.chunk, snapshot?.stored.snapshot == reply.snapshot else { return }
        requests.moved(.resync, now: context.now)
        guard let number = present?.number, let step = snapshot?.take(chunk) else { return }
        switch step {
        case .apply(let lines):
            try context.store.begin()
            for line in lines { try book.take(line, epoch: number, mark: row.mark, isSnapshot: true) }
            context.uncommitted += lines.count
            try keep(snapshot?.stored)
        case .again: requests.failed(.resync, wait: 1_000, now: context.now)
        case .beginAnew: try dropSnapshot(askAgain: true)
        case .nothing, .complete: break
        }
    }

    private func take(end event: ReceivedEvent) throws {
        guard let totals = event.snapshotTotals, let taker = snapshot else { return }
        switch snapshot?.take(end: totals) {
        case .complete:
            try context.store.begin()
            let gone = try book.removeUntouched(in: taker.scope, before: taker.stored.mark)
            counts.snapshots += 1
            let removed = gone.isEmpty ? "" : "; \(gone.count) keys are gone"
            try context.log(
                "snapshot", self, epoch: present?.epoch, nil,
                "\(Self.words(taker.scope)) is whole: \(taker.stored.keys) keys\(removed)")
            snapshot = nil
            try keep(nil)
        case .beginAnew: try dropSnapshot(askAgain: true)
        default:
            snapshot = nil
            try keep(nil)
        }
    }

    func dropSnapshot(askAgain: Bool) throws {
        guard let taker = snapshot else { return }
        try context.store.begin()
        snapshot = nil
        try keep(nil)
        if askAgain { ask(taker.scope, why: taker.stored.why) }
    }

    // MARK: walks

    func descend() throws {
        guard let epoch = present?.epoch, snapshot == nil, scopes.isEmpty else { return }
        if descent == nil {
            let since = lastDescent ?? context.now
            if lastDescent == nil { lastDescent = context.now }
            guard context.now - since >= context.options.descentInterval else { return }
            descent = Descent()
        }
        guard let walk = descent, requests.mayAsk(.digest, now: context.now) else { return }
        guard let node = walk.next, !walk.isTooWide else { return try endDescent(walk, epoch) }
        let asked = context.ask(.digest, topics, clockOffset: requests.clockOffset) { $0.node = node.description }
        requests.asked(.digest, id: asked.id, now: context.now)
        descent?.bytes += asked.bytes
        counts.repairBytes += asked.bytes
    }

    func startDescent() { if descent == nil { descent = Descent() } }

    func take(digest reply: CommandReply, bytes: Int) throws {
        guard let state = present, let node = descent?.next, reply.node == node.description,
            reply.epoch == state.epoch.text
        else {
            descent = nil
            return
        }
        try book.flush()
        descent?.bytes += bytes
        counts.repairBytes += bytes
        let isLevel = (reply.lanes ?? []).allSatisfy { line in
            Lane(name: line.name).map { state.lanes[$0].follower.last == line.head } ?? false
        }
        descent?.note(isLevel: isLevel)
        if node.isLeaf {
            let own = try book.lines(ofLeaf: UInt16(node.index)).mapValues {
                (isPresentEpoch: $0.epoch == state.number, version: $0.version, sum: $0.sum)
            }
            descent?.take(leaf: node, lines: reply.lines ?? [], own: own)
        } else {
            descent?.take(
                node, hash: reply.hash ?? "", children: reply.children ?? [],
                own: (book.hash(of: node), book.childHashes(of: node)))
        }
        try descend()
    }

    private func endDescent(_ walk: Descent, _ epoch: Epoch) throws {
        descent = nil
        lastDescent = context.now
        counts.descents += 1
        descentsEnded += 1
        try context.store.begin()
        if walk.isTooWide {
            counts.drift += 1
            isWidelyApart = true
            try context.log(
                "drift", self, epoch: epoch, nil, "more than \(Descent.mostNodes) nodes differ; all is resynced")
            return ask(SnapshotScope(), why: "the stock differs widely")
        }
        let drift = walk.drift(suspects: suspects)
        suspects = Set(walk.findings.filter { $0.value == .oneSided }.map(\.key)).subtracting(drift)
        self.drift = Array((self.drift + drift).prefix(1_000))
        counts.drift += drift.count
        for key in drift.prefix(100) {
            try context.log(
                "drift", self, epoch: epoch, nil,
                "SKU \(key.sku) location \(key.location) differs; found with \(walk.bytes) bytes, its leaf is resynced")
        }
        for leaf in Set(drift.map(\.leaf)).sorted() { ask(SnapshotScope(leaf: leaf), why: "drift") }
    }
}
