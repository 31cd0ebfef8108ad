// How keys came to their present stock, as the journal's latest events tell it: by them a key that moves all the time can
// be held against an export of a moment that has passed, and what differs can be held against single events.

/// One bucket's change by one event; of a level or a tombstone, which say nothing of what was before, neither bucket nor
/// amount.
package struct StockMove: Sendable, Equatable {
    package var bucket: Bucket?
    /// In millionths.
    package var delta: Int64
    /// When it happened, or where that is not known when it was captured.
    package var at: Timestamp
    /// The event tells a time of day.
    package var isTimed: Bool
    /// The key's version that it made.
    package var version: Int64

    package init(bucket: Bucket?, delta: Int64, at: Timestamp, isTimed: Bool = true, version: Int64) {
        self.bucket = bucket
        self.delta = delta
        self.at = at
        self.isTimed = isTimed
        self.version = version
    }
}

/// The moves of many keys, 40 bytes each. A key is known by a hash of its text as events write it.
package struct StockMoves: Sendable {
    private struct Entry {
        var key: UInt64
        var move: StockMove
    }

    private var entries: [Entry] = []
    private var isSorted = true

    package init() {}

    /// Takes what an encoded event tells; nothing of what is none.
    package mutating func note(_ payload: UnsafeRawBufferPointer) {
        let reader = CompactJSON(bytes: payload)
        let event = 0..<payload.count
        guard let type = reader.member("type", of: event), let subject = reader.member("subject", of: event),
            let data = reader.member("data", of: event), let balances = reader.member("balances", of: data),
            let (at, isTimed) = Self.time(of: data, reader) ?? Self.time("time", of: event, reader).map({ ($0, false) })
        else { return }
        let versions = reader.elements(of: balances).map { line in
            (key: Self.key(line, subject, reader), version: reader.integer("version", of: line) ?? 0)
        }
        isSorted = false
        if Self.levels.contains(where: { reader.slice(type).elementsEqual($0.utf8) }) {
            for line in versions {
                entries.append(
                    Entry(key: line.key, move: StockMove(bucket: nil, delta: 0, at: at, version: line.version)))
            }
        }
        guard let changes = reader.member("changes", of: data) else { return }
        for change in reader.elements(of: changes) {
            let key = Self.key(change, subject, reader)
            guard let version = versions.first(where: { $0.key == key })?.version,
                let bucket = reader.text("bucket", of: change).flatMap({
                    Bucket(name: String(decoding: $0, as: UTF8.self))
                }),
                let delta = reader.text("delta", of: change).flatMap({ Quantity(bytes: $0) })
            else { continue }
            entries.append(
                Entry(
                    key: key,
                    move: StockMove(
                        bucket: bucket, delta: delta.millionths, at: at, isTimed: isTimed, version: version)))
        }
    }

    package mutating func sort() {
        guard !isSorted else { return }
        entries.sort { ($0.key, $0.move.version) < ($1.key, $1.move.version) }
        isSorted = true
    }

    /// The moves that brought a key to a version, in the order of their versions; nil where one is missing up to the first
    /// that was noted. Sort first.
    package func path(of key: StockKey, to version: Int64) -> [StockMove]? {
        precondition(isSorted, "moves are sorted before they are asked for")
        let hash = Self.hash(key)
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].key < hash { low = middle + 1 } else { high = middle }
        }
        let path = entries[low...].prefix { $0.key == hash && $0.move.version <= version }.map(\.move)
        let isWhole = zip(path, path.dropFirst()).allSatisfy { $1.version - $0.version <= 1 }
        return isWhole && path.last?.version == version ? path : nil
    }

    private static let levels = [EventType.level, .skipped].map { jsonText($0.wireName) }

    private static func time(of data: Range<Int>, _ reader: CompactJSON) -> (at: Timestamp, isTimed: Bool)? {
        let quality = reader.text("time_quality", of: data)
        let isTimed = ![TimeQuality.dateOnly, .captured].contains { quality?.elementsEqual($0.rawValue.utf8) ?? false }
        return time(isTimed ? "occurred_at" : "captured_at", of: data, reader).map { ($0, isTimed) }
    }

    private static func time(_ name: StaticString, of object: Range<Int>, _ reader: CompactJSON) -> Timestamp? {
        reader.text(name, of: object).flatMap { Timestamp(rfc3339: String(decoding: $0, as: UTF8.self)) }
    }

    private static func key(_ line: Range<Int>, _ subject: Range<Int>, _ reader: CompactJSON) -> UInt64 {
        var hasher = Hasher()
        let fields = [
            reader.member("sku", of: line) ?? subject, reader.member("location", of: line),
            reader.member("lot", of: line), reader.member("owner", of: line),
        ]
        for field in fields {
            if let field { hasher.combine(bytes: reader.slice(field)) }
            hasher.combine(UInt8(0x1F))
        }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    private static func hash(_ key: StockKey) -> UInt64 {
        var hasher = Hasher()
        for field in [key.sku, key.location, key.lot, key.owner] {
            var text = field.isEmpty ? "" : jsonText(field)
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
            hasher.combine(UInt8(0x1F))
        }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}

/// A part of the journal that is being read: what was captured from a moment on, up to what stood there when it was asked
/// for.
package struct JournalSpan: Sendable {
    package let epoch: Epoch
    /// Lane by lane: read up to here.
    package var after: ByLane<Int64>
    package let through: ByLane<Int64>

    package init(epoch: Epoch, after: ByLane<Int64>, through: ByLane<Int64>) {
        self.epoch = epoch
        self.after = after
        self.through = through
    }

    package var events: Int64 { Lane.allCases.reduce(0) { $0 + max(0, through[$1] - after[$1]) } }
}
