import Inventory

/// A file of changes that is being read, part by part.
struct DropReading {
    let content: DropContent
    let occurrence: Int64
    var part: Int
    var followed: FollowedFile
    /// Read ahead of the events, where a trailer decides whether all of it counts; nil: it is known to.
    var check: ContentRecords?
}

// Files that report changes: each record is an event, as in a tail, under an identity of the file's content.

extension DropSource {
    func beginChanges(
        _ content: DropContent, _ round: DropRound, _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) throws {
        if let reading = state.reading {
            if reading.hash == content.hash {
                let followed = try follow(content, reading.part, at: reading.position, round)
                return start(
                    .reading(
                        DropReading(
                            content: content, occurrence: reading.occurrence, part: reading.part, followed: followed)))
            }
            records.append(restLost(reading, content.name, round.now))
            state.reading = nil
        }
        guard let occurrence = try occurrence(of: content, round, &result) else { return }
        let hasTrailer = definition.format.layouts.contains { $0.role == .trailer }
        let check = hasTrailer ? try ContentRecords(content, format: definition.format) : nil
        let followed = try follow(content, 0, at: position(content, occurrence, 0), round)
        start(
            .reading(
                DropReading(content: content, occurrence: occurrence, part: 0, followed: followed, check: check)))
    }

    /// How often this content was read before; nil: it is not read now.
    private func occurrence(
        of content: DropContent, _ round: DropRound, _ result: inout PipelineRead
    ) throws -> Int64? {
        guard contents.contains(Digest(sha256: content.hash).prefix8) else { return 0 }
        let stored = try round.memory.reads(of: content.hash)
        let unsaved = endedReads[content.hash]
        guard let name = unsaved?.name ?? stored?.name else { return 0 }
        let when = unsaved == nil ? stored.map { " of \($0.at)" } ?? "" : ""
        let words = "\(content.name) has the same content as \(name)\(when)"
        if isAccepted(content) { return (stored?.count ?? 0) + (unsaved?.count ?? 0) }
        if name == content.name || definition.mapping.givesIDs {
            result.notices.append("\(words): nothing of it is new")
            finish(
                content.unit, hash: content.hash, .repeated, "the same content as \(name)\(when)",
                chore: choreAfter(content.unit))
        } else {
            hold(content, words)
        }
        return nil
    }

    private func position(_ content: DropContent, _ occurrence: Int64, _ part: Int) -> TailPosition {
        var position = TailPosition()
        position.lineage = content.hash
        if occurrence > 0 { position.lineage += "#\(occurrence + 1)" }
        if part > 0 { position.lineage += "/\(part + 1)" }
        return position
    }

    private func follow(
        _ content: DropContent, _ part: Int, at position: TailPosition, _ round: DropRound
    ) throws -> FollowedFile {
        try FollowedFile(
            content.parts[part].content, at: position, format: definition.format, monotonic: round.monotonic)
    }

    func read(
        _ reading: DropReading, _ round: DropRound, _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) throws {
        var reading = reading
        let content = reading.content
        if let changed = content.change {
            // What was sent stays sent; what is there now is another content.
            records.append(restLost(nowAt(reading), content.name, round.now))
            return refuse(content.unit, hash: content.hash, changed, round, &records, &result)
        }
        if reading.check != nil {
            if let reason = try check(&reading) {
                return refuse(content.unit, hash: content.hash, reason, round, &records, &result)
            }
            return start(.reading(reading))
        }
        let reader = RecordReader(
            mapping: mapping, now: round.now, monotonic: round.monotonic, maxBytes: round.maxBytes,
            maxRecords: Self.mostRecords)
        let before = reading.followed.position.offset
        records += try reading.followed.read(reader, isFinal: true, isLastLook: true)
        result.notices += reading.followed.takeNotices()
        result.notices += NewColumns.told(state.columns, reading.followed.position.columns, in: content.name)
        state.columns = reading.followed.position.columns
        if reading.followed.position.offset != before {
            state.reading = nowAt(reading)
            return start(.reading(reading))
        }
        reading.part += 1
        guard reading.part < content.parts.count else {
            return finish(content.unit, hash: content.hash, .read, chore: choreAfter(content.unit))
        }
        reading.followed = try follow(
            content, reading.part, at: position(content, reading.occurrence, reading.part), round)
        state.reading = nowAt(reading)
        start(.reading(reading))
    }

    /// Some of the check; the reason why all of it is refused.
    private func check(_ reading: inout DropReading) throws -> RejectReason? {
        var reason: RejectReason?
        let more = try reading.check?.read(bytes: 4 << 20) { item, _ in
            if reason == nil { reason = FullImport.fatal(item) }
        }
        if more != true { reading.check = nil }
        return reason
    }

    private func nowAt(_ reading: DropReading) -> DropState.Reading {
        DropState.Reading(
            stamps: reading.content.unit.entries.map(\.stamp), hash: reading.content.hash,
            occurrence: reading.occurrence, part: reading.part, position: reading.followed.position)
    }

    /// Goes on in the file in the middle of which the checkpoint stands.
    func resumeReading(
        _ entries: [DropEntry], _ round: DropRound, _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) throws {
        guard let reading = state.reading else { return }
        let found = reading.stamps.compactMap { stamp in entries.first { $0.stamp == stamp } }
        guard found.count == reading.stamps.count else {
            let name = String(reading.stamps.first?.prefix { $0 != "|" } ?? "")
            records.append(restLost(reading, name, round.now))
            result.notices.append("\(name), which was read in part, is gone or was changed; its rest is lost")
            state.reading = nil
            return
        }
        try open(DropUnit(entries: found), round, &records, &result)
    }

    private func restLost(_ reading: DropState.Reading, _ name: String, _ now: Timestamp) -> CapturedRecord {
        let from = "\(reading.hash):\(reading.position.offset)"
        let loss = SourceLoss(
            what: "the rest of \(name)", from: from, to: "its end, unknown", cause: "it went away or was changed")
        return losses.record(loss, from: from, hashed: from, offset: reading.position.offset, now: now)
    }
}

extension MappingDefinition {
    /// Every record that becomes an event has an id of its own.
    var givesIDs: Bool { rules.allSatisfy { $0.expressions[.id] != nil } }
}
