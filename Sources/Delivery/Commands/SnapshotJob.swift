import Contract
import Inventory
import MQTT
import Outbox

/// The stock of a site, chunk by chunk in the order of its keys. Each chunk is its own short read: events go on meanwhile,
/// and the versions decide at the consumer.
struct SnapshotJob {
    enum Step {
        case message(Message)
        /// What the chunk that went out carried.
        case chunk(SnapshotChunk)
        /// Nothing of the scope among the rows looked at; there are more.
        case nothingYet
        case finished
    }

    private enum Phase { case begin, chunks, end, finished }

    let snapshot: String
    let scope: SnapshotScope
    let epoch: Epoch
    let topic: String
    /// The lanes' heads before the snapshot's first chunk was read.
    let asof: ByLane<Int64>
    private(set) var keys: Int64
    private(set) var sum: LineSum
    private(set) var after: StockKey?
    private var phase: Phase
    private var pending: SnapshotChunk?
    private var chunksLeft: Int?

    /// With its description each chunk is two messages of the 100 that a request yields; begin, end and answers are few.
    private static let chunksARequest = 48
    private static let keysAChunk = 100

    init(
        snapshot: String, scope: SnapshotScope, epoch: Epoch, topic: String, asof: ByLane<Int64>,
        resume: Command.Resync.Resume?, isPaged: Bool
    ) {
        self.snapshot = snapshot
        self.scope = scope
        self.epoch = epoch
        self.topic = topic
        self.asof = resume?.asof ?? asof
        keys = resume?.keys ?? 0
        sum = resume?.sum ?? .zero
        after = resume?.after
        phase = resume == nil ? .begin : .chunks
        chunksLeft = isPaged ? Self.chunksARequest : nil
    }

    var isFinished: Bool { phase == .finished }
    /// Where a further request goes on; nil when the end was sent.
    var rest: SnapshotPlace? { phase == .finished ? nil : after.map(place) }

    private func place(_ key: StockKey) -> SnapshotPlace {
        SnapshotPlace(after: WireKey(key), keys: keys, lines: sum.description, asof: asof)
    }

    /// What comes next, of at most so many bytes a message.
    mutating func step(
        limitBytes: Int, reader: OutboxReader, encoder: inout EventEncoder, now: Timestamp
    ) throws -> Step {
        if let chunk = pending {
            pending = nil
            return .chunk(chunk)
        }
        switch phase {
        case .begin:
            phase = .chunks
            return .message(
                single(encoder.encodeSnapshotBegin(snapshot, scope: scope, epoch: epoch, asof: asof, now: now)))
        case .chunks:
            guard chunksLeft != 0 else { return .finished }
            return try chunk(limitBytes: limitBytes, reader: reader, encoder: &encoder, now: now)
        case .end:
            phase = .finished
            return .message(
                single(
                    encoder.encodeSnapshotEnd(snapshot, epoch: epoch, asof: asof, keys: keys, sum: sum, now: now)))
        case .finished: return .finished
        }
    }

    private mutating func chunk(
        limitBytes: Int, reader: OutboxReader, encoder: inout EventEncoder, now: Timestamp
    ) throws -> Step {
        let page = try reader.stock(after: after, in: scope, limit: Self.keysAChunk)
        guard let first = page.lines.first else {
            after = page.scannedTo ?? after
            if page.isLast { phase = .end }
            return .nothingYet
        }
        var payload: [UInt8] = []
        var carried: [BalanceLine] = []
        for line in page.lines {
            let before = payload.count
            payload.append(carried.isEmpty ? UInt8(ascii: "[") : UInt8(ascii: ","))
            encoder.encodeSnapshotLevel(line, snapshot: snapshot, epoch: epoch, now: now, into: &payload)
            if !carried.isEmpty, payload.count + 1 > limitBytes {
                payload.removeLast(payload.count - before)
                break
            }
            carried.append(line)
        }
        payload.append(UInt8(ascii: "]"))
        let last = carried.last ?? first
        keys += Int64(carried.count)
        sum = carried.reduce(sum) { $0 + $1.sum }
        let hasAll = carried.count == page.lines.count
        after = hasAll ? page.scannedTo ?? last.key : last.key
        if hasAll, page.isLast { phase = .end }
        chunksLeft = chunksLeft.map { $0 - 1 }
        pending = SnapshotChunk(
            first: WireKey(first.key), last: WireKey(last.key), count: carried.count,
            sha256: Digest(sha256: payload).hex, place: place(after ?? last.key))
        return .message(
            Message(
                topic: topic, payload: payload, retain: false, contentType: EventMessages.batchContentType,
                userProperties: []))
    }

    private func single(_ payload: [UInt8]) -> Message {
        Message(
            topic: topic, payload: payload, retain: false, contentType: EventMessages.contentType, userProperties: [])
    }
}
