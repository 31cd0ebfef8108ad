import CLinux
import Glibc
package import Inventory
import SQLite

// A directory into which complete files are dropped.
//
// `DropQueue` decides which file is next; this shell opens, hashes, reads and remembers it. A file of changes is read in
// pieces, each a batch whose checkpoint stands within it; a full export is compared first (`FullImport`), and what
// changed is told in pieces. What becomes of a file in the directory waits until the batch that ended it is committed.

package final class DropSource: SourceReader {
    package let name: String
    package var mappingVersion: String { mapping.version }
    package var watchDescriptors: [Int32] { [watch.descriptor] }
    package internal(set) var nextLook: Int64 = 0

    let definition: SourceDefinition
    let settings: DropSettings
    let site: SiteIdentity
    let rules: InventoryRules
    let mapping: Mapping
    let directory: String
    let pattern: DropPattern
    let watch: DirectoryWatch
    let losses: LossTeller
    let beginning: SourceBeginning
    var state: DropState
    private var isFirstLook: Bool
    private var openedMemory: SourceMemory?
    var openedStock: (any StockView)?
    /// Gathered anew by each check.
    var openedJournal: JournalLook?
    /// Since when a check waits for what it checks, in monotonic milliseconds.
    var ledgerAwaited: Int64?
    var queue: DropQueue
    /// Hashed stamps of the files that are not to be read again.
    var known: Set<UInt64> = []
    /// Hashed contents that were read.
    var contents: Set<UInt64> = []
    /// Up to it all counts as read: another memory knew.
    var floor = ""
    var work: Work?
    /// What to do in the directory once a generation is committed.
    var chores: [(generation: Int64, chore: DropChore)] = []
    var committedGeneration: Int64 = -1
    /// What this batch brings to its end.
    var ended: [EndedUnit] = []
    /// Of those that were read, by content: the last one's name, and how many.
    var endedReads: [String: (name: String, count: Int64)] = [:]
    private var isSettled = false
    var listedAt: Int64 = .min
    var listingCost: Int64 = 0
    private var nextTables: Int64 = 0
    var hold: SourceHoldNote?
    var heldUnit: DropUnit?
    /// Where the last look was cut off.
    var cutAt: String?
    /// Whether the last file that was begun has no end of its last line.
    var endsOpen: Bool?
    /// Name, hash and time of the full export that this batch ends with.
    var lastExport: String?
    /// What was read last, for people.
    var object: String

    /// What is being done with one export.
    enum Work {
        case hashing(DropContent, passed: [String])
        case comparing(FullImport)
        case reading(DropReading)
        case telling
        case checking
    }

    static let lookInterval: Int64 = 1_000
    static let mostRecords = 1_500
    /// One read comes back after so long, in milliseconds, whatever there is to hash.
    private static let mostWork: Int64 = 250

    package init(
        _ definition: SourceDefinition, site: SiteIdentity, rules: InventoryRules, beginning: SourceBeginning
    ) throws {
        self.definition = definition
        self.site = site
        self.rules = rules
        self.beginning = beginning
        name = definition.name
        settings = definition.drop ?? DropSettings()
        directory = definition.path.directory
        object = definition.path.fileName
        pattern = try DropPattern(object)
        let found = beginning.checkpoint.flatMap(DropState.init)
        state = found ?? DropState()
        isFirstLook = found == nil
        queue = DropQueue(settings, last: state.sequence.map { [state] in ($0, state.date) })
        mapping = try Mapping(
            definition.mapping, site: site, source: definition.name, kind: "drop", rules: rules,
            timeZone: definition.timeZone)
        if let columns = try definition.format.decoder(resuming: DecoderState(columns: state.columns)).columns {
            try mapping.compile(columns: columns)
        }
        watch = DirectoryWatch(directory)
        losses = LossTeller(source: definition.name, kind: "drop", site: site, object: object)
    }

    package func read(maxBytes: Int, now: Timestamp, monotonic: Int64) throws -> PipelineRead {
        var result = PipelineRead()
        nextLook = monotonic + Self.lookInterval
        if monotonic >= nextTables, work == nil {
            nextTables = monotonic + Self.lookInterval
            result.notices += mapping.reloadLookups()
        }
        do { try proceed(maxBytes: maxBytes, now: now, monotonic: monotonic, &result) } catch let error as SQLiteError {
            throw IngestError("what \(name) remembers: \(error)", hint: "check the disk of data_dir")
        }
        return result
    }

    private func proceed(maxBytes: Int, now: Timestamp, monotonic: Int64, _ result: inout PipelineRead) throws {
        let memory = try memory(&result)
        var records: [CapturedRecord] = []
        let before = state
        if isFirstLook { try beginFirst(memory, now, &records) }
        let round = DropRound(now: now, monotonic: monotonic, maxBytes: maxBytes, memory: memory)
        doChores(&result)
        let end = beginning.workClock() + Self.mostWork
        repeat {
            try advance(round, &records, &result)
        } while result.more && records.count < Self.mostRecords && isQuick && beginning.workClock() < end
        if records.isEmpty, !result.more, work == nil { try settle(memory, &result) }
        try remember(memory, now)
        if !records.isEmpty || state != before {
            result.batch = CaptureBatch(source: name, records: records, checkpoint: try state.checkpoint(object))
        }
    }

    /// Small files share a batch; a long comparison comes back after each step.
    private var isQuick: Bool { if case .comparing = work { false } else { true } }

    // MARK: memory

    func memory(_ result: inout PipelineRead) throws -> SourceMemory {
        if let openedMemory { return openedMemory }
        guard let data = definition.scratchDirectory else {
            throw IngestError("a drop source needs data_dir for what it remembers", hint: "set agent.data_dir")
        }
        let memory = try SourceMemory(
            path: SourceMemory.path(of: name, in: data), token: state.memory, generation: state.generation)
        if state.memory != nil, memory.token != state.memory {
            result.notices.append(
                "what this source remembered is gone: files up to \(object) count as read, the next full export is new")
            state.reading = nil
            state.telling = nil
            state.checking = nil
            try memory.put("up_to", text: state.upTo)
        }
        floor = try memory.text("up_to") ?? ""
        state.memory = memory.token
        state.generation = memory.generation
        known = try memory.stamps()
        contents = try memory.contents()
        openedMemory = memory
        return memory
    }

    package func committed(_ checkpoint: Checkpoint) {
        guard let done = DropState(checkpoint) else { return }
        committedGeneration = max(committedGeneration, done.generation)
        isSettled = false
    }

    /// Lets go of rows that died, in quiet moments.
    private func settle(_ memory: SourceMemory, _ result: inout PipelineRead) throws {
        guard !isSettled, state.telling == nil, state.checking == nil, committedGeneration == memory.generation else {
            return
        }
        isSettled = try memory.settle(committedGeneration)
        if !isSettled { result.more = true }
    }

    // MARK: one step

    private func advance(
        _ round: DropRound, _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) throws {
        result.more = false
        if work == nil { try resume(round, &records, &result) }
        if work == nil, state.reading == nil { try choose(round, &records, &result) }
        guard let work else { return }
        result.more = true
        switch work {
        case .hashing(let content, let passed):
            if content.hashOn() { try begin(content, passed, round, &records, &result) }
        case .comparing(let comparing): try compare(comparing, round, &records, &result)
        case .reading(let reading): try read(reading, round, &records, &result)
        case .telling: try tell(round, &records)
        case .checking: try check(round, &records, &result)
        }
    }

    func open(
        _ unit: DropUnit, _ round: DropRound, _ records: inout [CapturedRecord], _ result: inout PipelineRead
    ) throws {
        do {
            let content = try DropContent(unit, directory: directory, scratch: definition.scratchDirectory)
            work = .hashing(content, passed: unit.passed)
        } catch DropOpenError.busy(let file) {
            result.status = "waiting: \(file): \(String(cString: strerror(errno)))"
        } catch DropOpenError.refused(let reason) {
            refuse(unit, hash: "", reason, round, &records, &result)
        }
    }

    // MARK: one export

    /// It is hashed: whether it is read, and how.
    private func begin(
        _ content: DropContent, _ passed: [String], _ round: DropRound, _ records: inout [CapturedRecord],
        _ result: inout PipelineRead
    ) throws {
        work = nil
        if content.change != nil {
            // Still being written, whatever it looked like: shown anew, it has to stand still again.
            listedAt = .min
            queue.take(content.unit)
            return
        }
        for reason in passed { tellPassed(reason, content, round, &records, &result) }
        if let decision = beginning.decision, decision.id == Self.holdID(content), !decision.isAccepted {
            let reason = RejectReason(code: "rejected", message: "\(content.name) was rejected by a technician")
            return refuse(content.unit, hash: content.hash, reason, round, &records, &result)
        }
        if state.reading == nil, !isAccepted(content), try seemsCut(content, round) {
            return hold(content, "\(content.name) ends in the middle of a line, as no file before it")
        }
        if settings.full != nil { return try beginFull(content, round, &records, &result) }
        try beginChanges(content, round, &records, &result)
    }

    private func seemsCut(_ content: DropContent, _ round: DropRound) throws -> Bool {
        let framing = try definition.format.decoder().framing
        guard content.isOpenEnded(framing) else {
            endsOpen = false
            return false
        }
        endsOpen = true
        return try round.memory.text("open_ends") == "0"
    }

    static func holdID(_ content: DropContent) -> String { "\(content.unit.entries[0].name)|\(content.hash)" }

    func isAccepted(_ content: DropContent) -> Bool {
        beginning.decision.map { $0.id == Self.holdID(content) && $0.isAccepted } ?? false
    }

    func hold(_ content: DropContent, _ reason: String) {
        hold = SourceHoldNote(id: Self.holdID(content), reason: reason)
        heldUnit = content.unit
        work = nil
    }

    var reconcileRequest: ReconcileRequest? { beginning.reconcile }

    /// Open while a check goes on.
    func stock() throws -> (any StockView)? {
        if openedStock == nil { openedStock = try beginning.stock?() }
        return openedStock
    }

    func start(_ work: Work?) { self.work = work }

    private func tellPassed(
        _ reason: String, _ content: DropContent, _ round: DropRound, _ records: inout [CapturedRecord],
        _ result: inout PipelineRead
    ) {
        result.notices.append("\(reason); \(content.name) is read without it")
        guard reason.contains("did not come") else { return }
        let loss = SourceLoss(
            what: "a file of a numbered series", from: "\(state.sequence ?? 0)", to: content.name, cause: reason)
        records.append(
            losses.record(loss, from: "gap:\(content.name)", hashed: reason + content.name, offset: 0, now: round.now))
    }

    // MARK: beginning

    private func beginFirst(_ memory: SourceMemory, _ now: Timestamp, _ records: inout [CapturedRecord]) throws {
        isFirstLook = false
        if let lost = beginning.lostWith { return records.append(losses.outboxLost(lost, now: now)) }
        guard definition.startsAtEnd || definition.startsAt != nil else { return }
        guard let listing = DropListing(directory, pattern: pattern, settings: settings, isKnown: { _ in false }) else {
            return
        }
        let left = listing.entries.filter { entry in
            definition.startsAt.map { entry.modified / 1_000_000 < $0.milliseconds } ?? true
        }
        try memory.write { generation in
            for entry in left { try memory.note(entry, hash: "", .skipped, at: now, generation: generation) }
        }
        for entry in left { known.insert(Digest(sha256: entry.stamp).prefix8) }
        state.generation = memory.generation
    }

    package func remap(_ bytes: [UInt8], identity: String, position: String, now: Timestamp) throws -> CapturedRecord {
        try Remapping(format: definition.format, state: DecoderState(columns: state.columns), mapping: mapping)
            .record(bytes, identity: identity, position: position, now: now)
    }
}

/// What one look of a drop source works with.
struct DropRound {
    let now: Timestamp
    let monotonic: Int64
    let maxBytes: Int
    let memory: SourceMemory
}
