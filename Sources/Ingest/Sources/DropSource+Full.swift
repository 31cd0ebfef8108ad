import Inventory

// Full exports: compared, and then told key by key.

extension DropSource {
    func beginFull(
        _ content: DropContent, _ round: DropRound, _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) throws {
        guard let full = settings.full else { return }
        let asOf = sortableTime(of: content, full)
        if asOf < state.asOf, !isAccepted(content) {
            let reason = RejectReason(code: "older", message: "it is older than the export that was accepted last")
            return refuse(content.unit, hash: content.hash, reason, round, &records, &result)
        }
        start(
            .comparing(
                try FullImport(
                    content, settings: full, memory: round.memory, mapping: mapping, format: definition.format,
                    isAccepted: isAccepted(content))))
    }

    func compare(
        _ comparing: FullImport, _ round: DropRound, _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) throws {
        let content = comparing.content
        switch try comparing.step() {
        case .more: break
        case .held(let reason): hold(content, reason)
        case .refused(let reason): refuse(content.unit, hash: content.hash, reason, round, &records, &result)
        case .done:
            guard let full = settings.full else { return }
            result.notices += comparing.notices
            records += comparing.rejects
            state.asOf = max(state.asOf, sortableTime(of: content, full))
            state.columns = comparing.columns
            let time = time(of: content, full)
            lastExport = "\(content.name)\u{1F}\(content.hash)\u{1F}\(time.moment.milliseconds)"
            finish(content.unit, hash: content.hash, .read, chore: choreAfter(content.unit))
            if full.checks != nil {
                return beginCheck(content.name, hash: content.hash, asOf: time.moment, round.now, isFix: false)
            }
            state.telling = DropState.Telling(
                export: content.name, hash: content.hash, generation: round.memory.generation,
                asOf: time.moment.milliseconds, isTimeOfFile: time.isOfFile, after: "")
            start(.telling)
        }
    }

    /// The next keys that changed.
    func tell(_ round: DropRound, _ records: inout [CapturedRecord]) throws {
        guard var telling = state.telling else { return start(nil) }
        let zeroes = try round.memory.text("zeroes") != "0"
        let changed = try ChangedKeys(round.memory.connection, generation: telling.generation, zeroes: zeroes)
        let page = try changed.page(after: telling.after, limit: Self.mostRecords)
        for level in page.levels { records.append(record(of: level, .figures, telling, round.now)) }
        guard let last = page.last else {
            state.telling = nil
            return start(nil)
        }
        telling.after = last
        state.telling = telling
        start(.telling)
    }

    func record(
        of level: StockLevel, _ basis: LevelBasis, _ telling: DropState.Telling, _ now: Timestamp
    ) -> CapturedRecord {
        let text = "level:\(level.key.joined):\(telling.hash):\(telling.generation)"
        let figures = level.buckets.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key.name)=\($0.value)" }
        let found = Compared(
            type: .level, sku: level.key.sku, text: text, hash: Digest(sha256: text + figures.joined(separator: ",")),
            export: telling.export, asOf: Timestamp(milliseconds: telling.asOf), isTimeOfFile: telling.isTimeOfFile)
        return record(of: found, now) { draft in
            draft.levels = [level]
            draft.isCompared = true
            draft.basis = basis
        }
    }

    /// What events that come of comparing have in common.
    struct Compared {
        let type: EventType
        let sku: String
        /// The record's identity.
        let text: String
        let hash: Digest
        let export: String
        let asOf: Timestamp
        let isTimeOfFile: Bool
    }

    func record(of found: Compared, _ now: Timestamp, _ fill: (inout EventDraft) -> Void) -> CapturedRecord {
        let identity = RecordIdentity(text: found.text, recordHash: found.hash, isTracked: false)
        let derived = EventID.derive(site: site, source: name, record: identity, type: found.type, n: 0)
        let origin = Origin(
            source: name, kind: "drop", object: found.export, position: "full", key: nil, recordHash: found.hash)
        var draft = EventDraft(
            id: derived.id, type: found.type, sku: found.sku, origin: origin, occurredAt: found.asOf,
            timeQuality: found.isTimeOfFile ? .captured : .resolved, capturedAt: now, mappingVersion: mapping.version,
            traceparent: derived.traceparent)
        fill(&draft)
        return CapturedRecord(
            identity: identity, outcome: .events([draft]), bytes: [],
            position: RecordPosition(object: found.export, offset: 0))
    }

    // MARK: the time that an export speaks of

    private func sortableTime(of content: DropContent, _ full: FullSettings) -> String {
        let said = content.unit.entries[0].said
        if full.asOf == .name, !said.date.isEmpty || said.sequence != nil {
            return "\(said.date)|\(said.sequence.map(DropListing.padded) ?? "")"
        }
        return DropListing.padded(content.unit.entries.map(\.modified).max() ?? 0)
    }

    private func time(of content: DropContent, _ full: FullSettings) -> (moment: Timestamp, isOfFile: Bool) {
        let entry = content.unit.entries[0]
        if full.asOf == .name, entry.said.date.count >= 8 {
            let pattern = String("yyyyMMddHHmmss".prefix(entry.said.date.count))
            if let moment = mapping.localTime(entry.said.date, pattern) { return (moment, false) }
        }
        return (Timestamp(milliseconds: (content.unit.entries.map(\.modified).max() ?? 0) / 1_000_000), true)
    }
}
