import Inventory
import SQLite

// One full export against the last accepted one.
//
// A row that was in the last export, byte for byte of its values, means what it meant: only its hash is looked at. So an
// export is read once for its hashes, which are merged in order with those that are remembered, and once more for the
// rows that are new. What is new gets the present generation as its birth, what is gone as its death; the keys of both
// are what may have changed. All of that is one transaction of the memory: held, refused or killed, nothing happened.
//
// A key whose row cannot be read is left as it was, and while there is a row whose key cannot be read, no key counts as
// gone: what is not known is not zero.

/// Holds sixteen bytes a row, of at most `mostHashes` rows at once; what has more is read in several passes.
final class FullImport {
    enum Step {
        case more
        /// The generation stands, durably; its changed keys are told next.
        case done
        case refused(RejectReason)
        case held(String)
    }

    private enum Phase {
        case hashing, matching, mapping, weighing
    }

    let content: DropContent
    let settings: FullSettings
    let memory: SourceMemory
    let mapping: Mapping
    private let format: FormatDefinition
    /// A technician has seen it: the guard does not count.
    let isAccepted: Bool

    private let mostHashes: Int

    private var phase = Phase.hashing
    private var reading: ContentRecords
    /// Which part's columns the mapping and the hasher are made for.
    private var preparedPart = -1
    private var hasher: RowHasher?
    private var hashes: [RowHash] = []
    private(set) var rows: UInt32 = 0
    private var fresh = RowSet()
    private var gone: [Int64] = []
    /// 0 counts the rows, and takes their hashes while they fit.
    private var pass: UInt64 = 0
    private var passes: UInt64 = 1
    private var hasOverflowed = false
    private var isUnreserved = true
    private var generation: Int64 = 0
    var writer: RowWriter?
    /// Rows that could not be read, for the outbox.
    private(set) var rejects: [CapturedRecord] = []
    private(set) var columns: [String] = []
    var notices: [String] = []

    private static let mostRejects = 1_000
    /// So many new rows are written without their indexes, which are then made at once: in seconds, within which nothing
    /// else is read.
    private static let bulk = 50_000...4_000_000
    /// Of the export's bytes, each step.
    private static let stepBytes = 2 << 20

    init(
        _ content: DropContent, settings: FullSettings, memory: SourceMemory, mapping: Mapping,
        format: FormatDefinition, isAccepted: Bool, mostHashes: Int = 2_200_000
    ) throws {
        self.mostHashes = mostHashes
        self.content = content
        self.settings = settings
        self.memory = memory
        self.mapping = mapping
        self.format = format
        self.isAccepted = isAccepted
        reading = try ContentRecords(content, format: format)
    }

    deinit { memory.abandonLong() }

    /// A part of the work, some tens of milliseconds.
    func step() throws -> Step {
        let result = try work()
        switch result {
        case .more, .done: break
        case .refused, .held: memory.abandonLong()
        }
        return result
    }

    private func work() throws -> Step {
        switch phase {
        case .hashing: try hash()
        case .matching: try match()
        case .mapping: try map()
        case .weighing: try weigh()
        }
    }

    // MARK: hashes

    private func hash() throws -> Step {
        var refusal: RejectReason?
        let more = try eachRow { item, row, _ in
            if refusal == nil { refusal = Self.fatal(item) }
            try note(item, row)
        }
        if let refusal { return .refused(refusal) }
        if more {
            reserve()
            return .more
        }
        if let changed = content.change { return .refused(changed) }
        if pass == 0 {
            pass = 1
            if hasOverflowed {
                passes = UInt64((Int(rows) + mostHashes - 1) / mostHashes)
                return try readAgain(.hashing)
            }
        }
        hashes.sortInPlace()
        phase = .matching
        return .more
    }

    /// Growing by doubling would hold the hashes three times for a moment.
    private func reserve() {
        guard pass == 0, isUnreserved else { return }
        isUnreserved = false
        let bytes = content.parts.reduce(0) { $0 + $1.content.size }
        let estimate = Double(hashes.count) * Double(bytes) / Double(Self.stepBytes)
        hashes.reserveCapacity(min(mostHashes + 1, Int(estimate * 1.1)))
    }

    /// The rows of the next piece, with their numbers; false at the end.
    private func eachRow(_ body: (DecodedItem, UInt32, String) throws -> Void) throws -> Bool {
        var row = rows
        defer { rows = row }
        let told = phase == .hashing && pass == 0
        return try reading.read(bytes: Self.stepBytes) { item, place in
            if case .notice(let text) = item {
                if told { notices.append("\(place.file): \(text)") }
                return
            }
            if place.part != preparedPart { try prepare(place) }
            try body(item, row, place.file)
            row += 1
        }
    }

    private func readAgain(_ next: Phase) throws -> Step {
        reading = try ContentRecords(content, format: format)
        preparedPart = -1
        rows = 0
        phase = next
        return .more
    }

    private func prepare(_ place: ContentRecords.Place) throws {
        preparedPart = place.part
        columns = place.columns
        try mapping.compile(columns: columns)
        hasher = RowHasher(mapping: mapping.version, columns: columns)
    }

    private func note(_ item: DecodedItem, _ row: UInt32) throws {
        guard !(pass == 0 && hasOverflowed), let hash = hasher?.hash(item, row: row), belongs(hash) else { return }
        hashes.append(hash)
        if pass == 0, hashes.count > mostHashes {
            hashes = []
            hasOverflowed = true
        }
    }

    private func belongs(_ hash: RowHash) -> Bool {
        passes == 1 || hash.high / (UInt64.max / passes + 1) == pass - 1
    }

    /// What makes the whole export untrue.
    static func fatal(_ item: DecodedItem) -> RejectReason? {
        guard case .reject(_, _, let reason) = item, ["count", "truncated"].contains(reason.code) else { return nil }
        return reason
    }

    // MARK: against the last export

    private func match() throws -> Step {
        if writer == nil {
            generation = try memory.beginLong()
            try memory.connection.execute("DELETE FROM changes")
            writer = try RowWriter(memory.connection, generation: generation)
        }
        try merge()
        hashes = []
        guard pass < passes else {
            if Self.bulk.contains(fresh.count), fresh.count * 3 > Int(rows) {
                try writer?.beginBulk()
            }
            return try readAgain(.mapping)
        }
        pass += 1
        return try readAgain(.hashing)
    }

    /// Both in the order of their hashes; of equal ones as many as there are on both sides stay.
    private func merge() throws {
        let select = try memory.connection.prepare("SELECT hash, id FROM rows WHERE died = 0 ORDER BY hash")
        var index = 0
        while try select.step() {
            let known = select.withBytes(0) { RowHash(stored: $0) }
            guard belongs(known) else { continue }
            while index < hashes.count, hashes[index] < known {
                fresh.insert(hashes[index].row)
                index += 1
            }
            if index < hashes.count, hashes[index].hasContent(of: known) {
                index += 1
            } else {
                gone.append(select.integer(1))
            }
        }
        for hash in hashes[index...] { fresh.insert(hash.row) }
    }

    // MARK: what is new

    private func map() throws -> Step {
        if !gone.isEmpty { return try bury() }
        let more = try eachRow { item, row, file in
            if fresh.contains(row) { try take(item, row, file) }
        }
        if rejects.count > Self.mostRejects {
            let words = "more than \(Self.mostRejects) of its new rows cannot be read; the first: \(firstReject)"
            return .refused(RejectReason(code: "rejects", message: words))
        }
        if more { return .more }
        if let changed = content.change { return .refused(changed) }
        try writer?.endBulk()
        phase = .weighing
        return .more
    }

    private var firstReject: String {
        guard let first = rejects.first, case .reject(let reason) = first.outcome else { return "" }
        return "\(reason.code): \(reason.message)"
    }

    private func bury() throws -> Step {
        for id in gone.suffix(20_000) { try writer?.bury(id) }
        gone.removeLast(min(gone.count, 20_000))
        return .more
    }

    private func take(_ item: DecodedItem, _ row: UInt32, _ file: String) throws {
        guard let hash = hasher?.hash(item, row: row), let writer else { return }
        switch item {
        case .notice: break
        case .reject(let offset, let bytes, let reason):
            reject(bytes.prefix(4_096), offset, reason, file)
            try writer.insert(hash, .reject(reason, nil))
        case .record(let record):
            let level = mapping.level(of: record)
            if case .reject(let reason, _) = level { reject(record.repeatable, record.offset, reason, file) }
            try writer.insert(hash, level)
        }
    }

    private func reject(_ bytes: ArraySlice<UInt8>, _ offset: Int64, _ reason: RejectReason, _ file: String) {
        let identity = RecordIdentity(
            text: "\(content.hash):\(offset)", recordHash: Digest(sha256: bytes), isTracked: false)
        rejects.append(
            CapturedRecord(
                identity: identity, outcome: .reject(reason), bytes: ArraySlice(Array(bytes)),
                position: RecordPosition(object: file, offset: offset)))
    }
}
