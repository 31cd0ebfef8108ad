import Contract
import Delivery
import Inventory
import Outbox

/// Why the desk does not take an order.
struct DeskRefusal: Error {
    let words: String
}

// What technicians have sent again, and what stands behind a balance.

extension ControlDesk {
    /// Without `epoch` the present one; without `from` and `to` all that is kept and acked; without `requester` to the lane.
    func replay(
        lane name: String, epoch text: String?, from: Int64?, to: Int64?, requester: String?, isDryRun: Bool,
        actor: String
    ) throws -> RepairDocument {
        guard let lane = Lane(name: name) else {
            throw DeskRefusal(words: "\"\(name)\" is no lane; name critical, standard or bulk")
        }
        let own = outbox.progress.epoch
        guard let epoch = text.map({ Epoch($0) }) ?? own, let known = try outbox.reader().epoch(epoch) else {
            throw DeskRefusal(words: "this outbox does not hold epoch \(text ?? "")")
        }
        let span = known.lanes[lane]
        guard span.oldest > 0, span.acked >= span.oldest else {
            throw DeskRefusal(words: "lane \(name) keeps no event that was published in this epoch")
        }
        let (first, last) = (from ?? span.oldest, to ?? span.acked)
        guard first >= 1, last >= first else { throw DeskRefusal(words: "the range \(first) to \(last) is reversed") }
        guard first >= span.oldest else {
            throw DeskRefusal(words: "the oldest event that is kept has sequence \(span.oldest)")
        }
        guard last <= span.acked else {
            throw DeskRefusal(words: "up to \(span.acked) the broker has them; what is after it is sent anyway")
        }
        let destination = try requester.map { RepairOrder.Destination.requester(try checked(requester: $0)) } ?? .lane
        let order = RepairOrder(
            work: .replay(lane: lane, epoch: epoch, sequences: first...last, to: destination), actor: actor)
        return try place(order, events: last - first + 1, isDryRun: isDryRun)
    }

    func resync(_ scope: SnapshotScope, requester: String, isDryRun: Bool, actor: String) throws -> RepairDocument {
        let name = try checked(requester: requester)
        return try place(
            RepairOrder(work: .resync(scope, requester: name), actor: actor), events: nil, isDryRun: isDryRun)
    }

    private func checked(requester: String) throws -> String {
        let names = configuration.delivery.commands.requesters
        guard names.contains(requester) else {
            let list = names.isEmpty ? "there are none" : names.sorted().joined(separator: ", ")
            throw DeskRefusal(words: "\"\(requester)\" is none of [commands] requesters: \(list)")
        }
        return requester
    }

    private func place(_ order: RepairOrder, events: Int64?, isDryRun: Bool) throws -> RepairDocument {
        if isDryRun { return RepairDocument(what: order.words, events: events, state: nil) }
        guard let state = board.place(order) else {
            throw DeskRefusal(words: "several repairs wait already; look at them with waybill audit")
        }
        return RepairDocument(what: order.words, events: events, state: state)
    }

    /// A new epoch by an operator's will.
    func reset(actor: String) throws -> ResetDocument {
        let before = outbox.progress
        let epoch = try outbox.startEpoch(above: [], reason: "an operator's reset", now: Clocks.wall(), actor: actor)
        return ResetDocument(epoch: epoch.text, previous: before.epoch.text, moved: outbox.progress.backlog)
    }

    func stock(sku: String, location: String?) throws -> [StockDocument] {
        try outbox.reader().stock(sku: sku, location: location).map { line in
            let known = Bucket.allCases.filter { line.balance[$0] != nil }
            return StockDocument(
                sku: line.key.sku, location: line.key.location, lot: line.key.lot, owner: line.key.owner,
                version: line.balance.version,
                figures: Dictionary(uniqueKeysWithValues: known.map { ($0.name, line.balance[$0]?.description ?? "") }),
                onHand: line.balance.onHand?.description, available: line.balance.available?.description)
        }
    }

    func audit(before id: Int64?, limit: Int64) throws -> [AuditDocument] {
        try outbox.reader().audit(before: id, limit: limit).map(Self.document)
    }

    static func document(_ entry: AuditEntry) -> AuditDocument {
        AuditDocument(
            id: entry.id, at: entry.at.description, actor: entry.actor, action: entry.action, subject: entry.subject,
            outcome: entry.outcome)
    }

    /// Everything behind a SKU's balances, in the order of time; the newest events where there are very many.
    func why(sku: String, location: String?) throws -> [WhyDocument] {
        let reader = try outbox.reader()
        var events: [ToldEvent] = []
        var next: Int64? = 0
        while let slot = next {
            let page = try reader.events(of: sku, location: location, after: slot)
            events += page.found
            if events.count > WhyStory.mostEvents { events.removeFirst(events.count - WhyStory.mostEvents) }
            next = page.next
        }
        let replays = try reader.audit(limit: 1_000).filter { $0.action == CommandVerb.replay.rawValue }
        return try WhyStory(sku: sku, replays: replays).tell(events, reader)
    }
}
