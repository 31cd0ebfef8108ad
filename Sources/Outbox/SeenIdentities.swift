import Inventory
import SQLite

// One row per identity, in one tree: docs/decisions/0003-seen-identities.md says why.

/// An identity as the tree's key: its own UTF-8 up to 24 bytes, so that a WMS's rising ids stay neighbours; of a longer
/// one 8 bytes, then 0xFF, which UTF-8 never holds, and 16 bytes of its hash.
struct SeenKey {
    private static let longest = 24

    static func with<R>(_ identity: RecordIdentity, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try with(identity.text, body)
    }

    /// The same identity with this other content, which was told as a conflict.
    static func withConflict<R>(
        _ identity: RecordIdentity, _ body: (UnsafeRawBufferPointer) throws -> R
    ) rethrows -> R {
        try with("\(identity.text)\u{1F}\(identity.recordHash.hex)", body)
    }

    private static func with<R>(_ text: String, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        var text = text
        return try text.withUTF8 { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            if bytes.count <= longest { return try body(bytes) }
            let (high, low) = Digest(sha256: bytes).prefix16
            return try withUnsafeTemporaryAllocation(byteCount: 25, alignment: 8) { key in
                key.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<8]))
                key[8] = 0xFF
                key.storeBytes(of: high.bigEndian, toByteOffset: 9, as: UInt64.self)
                key.storeBytes(of: low.bigEndian, toByteOffset: 17, as: UInt64.self)
                return try body(UnsafeRawBufferPointer(key))
            }
        }
    }
}

/// A source as the journal numbers it.
struct JournalSource {
    var id: Int64
    /// Identities seen before this day may be forgotten; 0 while none was.
    var horizon: Int64
    /// When it was last ordered to be read again; 0: never.
    var rewoundAt: Int64 = 0

    static let dayMilliseconds: Int64 = 86_400_000

    /// Whether a record of that time may have been seen and forgotten.
    func isForgotten(_ time: Timestamp) -> Bool { time.milliseconds < horizon * Self.dayMilliseconds }
}

enum Sighting: Equatable {
    case new, repeated, tooOld
    /// The source was read again, and nobody knows whether the record became an event before.
    case uncertain
    case conflict(earlier: UInt64)
}

/// Looks identities up and notes them. All within the caller's transaction.
struct SeenIdentities {
    let journal: Journal
    let day: Int64

    /// Notes the identity when it is new.
    func judge(_ record: CapturedRecord, of source: JournalSource, anyAge: Bool = false) throws -> Sighting {
        if !anyAge, source.rewoundAt > 0, record.isUncertain(in: source) { return .uncertain }
        guard record.identity.isTracked else { return .new }
        return try SeenKey.with(record.identity) { key in
            let content = record.identity.recordHash.prefix8
            if !anyAge, source.horizon > 0, let time = record.oldestTime, source.isForgotten(time) {
                guard let earlier = try find(key, source: source) else { return .tooOld }
                return earlier == content ? .repeated : .conflict(earlier: earlier)
            }
            if try note(key, content, source: source) { return .new }
            let earlier = try find(key, source: source)
            return earlier == content ? .repeated : .conflict(earlier: earlier ?? 0)
        }
    }

    /// False when this very conflict was told before.
    func noteConflict(_ identity: RecordIdentity, of source: JournalSource) throws -> Bool {
        try SeenKey.withConflict(identity) { try note($0, identity.recordHash.prefix8, source: source) }
    }

    /// Takes back what `judge` noted, so that the record can be tried again.
    func forget(_ identity: RecordIdentity, of source: JournalSource) throws {
        guard identity.isTracked else { return }
        try SeenKey.with(identity) { key in
            let delete = journal.statements.deleteSeen
            delete.bind(1, source.id)
            delete.bind(2, blob: key)
            try delete.run()
        }
    }

    /// Adds to the day's count what a batch noted.
    func count(_ noted: Int64, of source: JournalSource) throws {
        guard noted > 0 else { return }
        let add = journal.statements.countSeen
        add.bind(1, source.id)
        add.bind(2, day)
        add.bind(3, noted)
        try add.run()
    }

    private func note(_ key: UnsafeRawBufferPointer, _ content: UInt64, source: JournalSource) throws -> Bool {
        let insert = journal.statements.insertSeen
        insert.bind(1, source.id)
        insert.bind(2, blob: key)
        insert.bind(3, day)
        insert.bind(4, Int64(bitPattern: content))
        try insert.run()
        return journal.connection.changes == 1
    }

    private func find(_ key: UnsafeRawBufferPointer, source: JournalSource) throws -> UInt64? {
        let select = journal.statements.selectSeen
        defer { select.reset() }
        select.bind(1, source.id)
        select.bind(2, blob: key)
        return try select.step() ? UInt64(bitPattern: select.integer(0)) : nil
    }
}

extension CapturedRecord {
    /// Whether its id, or without one its time, leaves open what became of it before the source was read again.
    fileprivate func isUncertain(in source: JournalSource) -> Bool {
        guard case .events(let drafts) = outcome else { return false }
        let hasTime = drafts.allSatisfy { $0.timeQuality != .captured }
        if identity.isTracked { return !hasTime && source.horizon > 0 }
        return !hasTime || drafts.contains { $0.occurredAt.milliseconds < source.rewoundAt }
    }

    /// The record's own time, as its events tell it.
    fileprivate var oldestTime: Timestamp? {
        guard case .events(let drafts) = outcome else { return nil }
        return drafts.lazy.map(\.occurredAt).min()
    }
}
