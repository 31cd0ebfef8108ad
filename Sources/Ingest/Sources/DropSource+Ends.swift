import Inventory

// What follows an export that is done with: it is remembered with the batch that ends it, and after that batch's commit it
// is archived, deleted or put beside its reason.

extension DropSource {
    /// It is done with, as of this batch; `chore` follows its commit. `reason`: why it was not read, in words.
    func finish(_ unit: DropUnit, hash: String, _ outcome: FileOutcome, _ reason: String = "", chore: DropChore?) {
        ended.append(EndedUnit(unit: unit, hash: hash, outcome: outcome, reason: reason, chore: chore))
        if outcome == .read {
            endedReads[hash] = (unit.name, (endedReads[hash]?.count ?? 0) + 1)
            contents.insert(Digest(sha256: hash).prefix8)
        }
        for entry in unit.entries { known.insert(Digest(sha256: entry.stamp).prefix8) }
        queue.take(unit)
        state.upTo = max(state.upTo, unit.order)
        if let last = queue.last { (state.sequence, state.date) = (last.sequence, last.date) }
        state.reading = nil
        object = unit.name
        work = nil
    }

    /// One generation for all that ended in this batch: a fsync a batch, not a file.
    func remember(_ memory: SourceMemory, _ now: Timestamp) throws {
        if !ended.isEmpty {
            try memory.write { generation in
                if let lastExport { try memory.put("last_export", text: lastExport) }
                if let endsOpen { try memory.put("open_ends", text: endsOpen ? "1" : "0") }
                for one in ended {
                    for entry in one.unit.entries {
                        try memory.note(
                            entry, hash: one.hash, one.outcome, one.reason, at: now, generation: generation)
                    }
                }
                try memory.forgetOldFiles()
            }
            for one in ended { if let chore = one.chore { chores.append((memory.generation, chore)) } }
            ended.removeAll()
            endedReads.removeAll()
            lastExport = nil
        }
        state.generation = memory.generation
    }

    /// Nothing of it is read: a reject says why, and what it was stays where people find it.
    func refuse(
        _ unit: DropUnit, hash: String, _ reason: RejectReason, _ round: DropRound,
        _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) {
        let told = RejectReason(code: "file_\(reason.code)", message: "\(unit.name) was refused: \(reason.message)")
        let identity = RecordIdentity(
            text: "file:\(unit.entries[0].stamp)", recordHash: Digest(sha256: hash), isTracked: false)
        records.append(
            CapturedRecord(
                identity: identity, outcome: .reject(told), bytes: ArraySlice(unit.name.utf8),
                position: RecordPosition(object: unit.name, offset: 0)))
        result.notices.append(told.message)
        finish(unit, hash: hash, .refused, "\(reason.code): \(reason.message)", chore: failure(unit, told.message))
    }

    /// What follows a file that was read.
    func choreAfter(_ unit: DropUnit) -> DropChore? {
        switch settings.after {
        case .leave: nil
        case .delete: DropChore(unit: unit, kind: .delete)
        case .archive: settings.archive.map { DropChore(unit: unit, kind: .archive(into: $0)) }
        }
    }

    func doChores(_ result: inout PipelineRead) {
        while let first = chores.first, first.generation <= committedGeneration {
            result.notices += first.chore.run(in: directory, completion: settings.completion)
            chores.removeFirst()
        }
    }

    /// A stop may have come between a commit and what was to follow it.
    func catchUp(_ left: [DropEntry], _ memory: SourceMemory) throws {
        guard settings.after != .leave || settings.failed != nil else { return }
        for entry in left {
            let unit = DropUnit(entries: [entry])
            let chore: DropChore? =
                switch try memory.outcome(entry.stamp) {
                case .read, .repeated: choreAfter(unit)
                case .refused: failure(unit, "it was refused; see waybill rejects")
                case .skipped, nil: nil
                }
            if let chore { chores.append((committedGeneration, chore)) }
        }
    }

    func failure(_ unit: DropUnit, _ reason: String) -> DropChore? {
        settings.failed.map { DropChore(unit: unit, kind: .fail(into: $0, reason: reason)) }
    }
}

/// An export that is done with.
struct EndedUnit {
    let unit: DropUnit
    let hash: String
    let outcome: FileOutcome
    let reason: String
    let chore: DropChore?
}
