package import Inventory

/// What a consumer needs of an event, read from its bytes (docs/protocol.md, section 5).
package struct ReceivedEvent: Sendable {
    package var id: EventID
    package var type: String
    /// The SKU; empty where the event is about none.
    package var subject = ""
    package var epoch: Epoch
    /// Nil for what a snapshot carries: it has no place in a lane.
    package var place: (lane: Lane, sequence: Int64)?
    /// The `cmd_id` of the snapshot that carries it.
    package var snapshot: String?
    /// The first 8 bytes of `origin.record_sha256`; 0 where there is none.
    package var recordHash: UInt64 = 0
    package var lines: [BalanceLine] = []
    /// Of snapshot.begin and snapshot.end.
    package var snapshotTotals: SnapshotTotals?
    /// Where the event stands in its message.
    package var range: Range<Int>

    package var isSkipped: Bool { type == EventType.skipped.wireName }
}

/// What the events around a snapshot say of it.
package struct SnapshotTotals: Sendable, Equatable {
    /// The lanes' heads in a commit before the first chunk was read.
    package var asof = ByLane<Int64> { _ in 0 }
    package var keys: Int64 = 0
    /// The sum of all carried lines' hashes.
    package var sum = LineSum.zero
    package var sku: String?
    package var location: String?
    package var leaf: String?

    package init() {}
}

package enum EventReader {
    package struct Failure: Error, Sendable { package let message: String }

    /// The events of one message, an event or a batch, in order. Throws for what is no CloudEvent of this contract.
    package static func read(_ payload: [UInt8]) throws -> [ReceivedEvent] {
        try payload.withUnsafeBytes { bytes in
            var cursor = JSONCursor(bytes)
            var events: [ReceivedEvent] = []
            do {
                if cursor.isAtArray {
                    try cursor.array { events.append(try event(&$0)) }
                } else {
                    events.append(try event(&cursor))
                }
                guard cursor.isAtEnd else { throw JSONCursor.Malformed() }
            } catch is JSONCursor.Malformed {
                throw Failure(message: "no JSON at byte \(cursor.at)")
            }
            return events
        }
    }

    /// Whether a message on `rep/` is a reply and no event.
    package static func isReply(_ payload: [UInt8]) -> Bool {
        payload.withUnsafeBytes { bytes in
            var cursor = JSONCursor(bytes)
            var isReply = false
            try? cursor.object { name, cursor in
                if name.equals("cmd_id") { isReply = true }
                try cursor.skip()
            }
            return isReply
        }
    }

    private struct Parts {
        var id: EventID?
        var type: String?
        var epoch: Epoch?
        var lane: Lane?
        var sequence: Int64?
        var version = false
    }

    private static func event(_ cursor: inout JSONCursor) throws -> ReceivedEvent {
        var parts = Parts()
        var event = ReceivedEvent(
            id: EventID(high: 0, low: 0), type: "", epoch: zeroEpoch, place: nil, range: cursor.at..<cursor.at)
        let start = cursor.at
        var data: Int?
        try cursor.object { name, cursor in
            if name.equals("specversion") {
                parts.version = try cursor.rawTextBytes().equals("1.0")
            } else if name.equals("sequence") {
                parts.sequence = Self.sequence(try cursor.rawTextBytes())
            } else if name.equals("epoch") {
                parts.epoch = Epoch(try cursor.text())
            } else if name.equals("lane") {
                parts.lane = Lane(name: try cursor.text())
            } else if name.equals("id") {
                parts.id = EventID(try cursor.text())
            } else if name.equals("type") {
                parts.type = try cursor.text()
            } else if name.equals("subject") {
                event.subject = try cursor.text()
            } else if name.equals("snapshot") {
                event.snapshot = try cursor.text()
            } else if name.equals("data") {
                data = cursor.at
                try cursor.skip()
            } else {
                try cursor.skip()
            }
        }
        guard parts.version, let id = parts.id, let type = parts.type, let epoch = parts.epoch else {
            throw Failure(message: "an event lacks specversion 1.0, id, type or epoch")
        }
        (event.id, event.type, event.epoch) = (id, type, epoch)
        if let lane = parts.lane, let sequence = parts.sequence, (1...mostSequence).contains(sequence) {
            event.place = (lane, sequence)
        }
        guard event.place != nil || event.snapshot != nil else {
            throw Failure(message: "an event has neither lane and sequence nor a snapshot")
        }
        event.range = start..<cursor.at
        if let data {
            var inner = JSONCursor(cursor.bytes, at: data)
            try readData(&inner, &event)
        }
        return event
    }

    private static let zeroEpoch: Epoch = {
        guard let epoch = Epoch("00000000T000000Z-0000") else { preconditionFailure("the zero epoch is an epoch") }
        return epoch
    }()

    /// At most 19 digits; nil for anything else.
    private static func sequence(_ digits: UnsafeRawBufferPointer) -> Int64? {
        guard (1...19).contains(digits.count) else { return nil }
        var value: Int64 = 0
        for byte in digits {
            guard (0x30...0x39).contains(byte) else { return nil }
            let (times, over) = value.multipliedReportingOverflow(by: 10)
            let (sum, tooMuch) = times.addingReportingOverflow(Int64(byte - 0x30))
            if over || tooMuch { return nil }
            value = sum
        }
        return value
    }

    // MARK: data

    private static func readData(_ cursor: inout JSONCursor, _ event: inout ReceivedEvent) throws {
        let isTotals = event.type.hasPrefix("snapshot.")
        var totals = SnapshotTotals()
        try cursor.object { name, cursor in
            if name.equals("balances") {
                try cursor.array { event.lines.append(try line(&$0, subject: event.subject)) }
            } else if name.equals("origin") {
                try cursor.object { name, cursor in
                    guard name.equals("record_sha256") else { return try cursor.skip() }
                    let digits = try cursor.rawTextBytes().prefix(16)
                    event.recordHash = UInt64(String(decoding: digits, as: UTF8.self), radix: 16) ?? 0
                }
            } else if isTotals {
                try readTotals(name, &cursor, &totals)
            } else {
                try cursor.skip()
            }
        }
        if isTotals { event.snapshotTotals = totals }
    }

    private static func readTotals(
        _ name: UnsafeRawBufferPointer, _ cursor: inout JSONCursor, _ totals: inout SnapshotTotals
    ) throws {
        if name.equals("asof") {
            try cursor.object { name, cursor in
                let lane = Lane(name: String(decoding: name, as: UTF8.self))
                let head = try cursor.integer()
                if let lane { totals.asof[lane] = head }
            }
        } else if name.equals("keys") {
            totals.keys = try cursor.integer()
        } else if name.equals("lines") {
            guard let sum = LineSum(try cursor.text()) else { throw Failure(message: "lines are no sum") }
            totals.sum = sum
        } else if name.equals("sku") {
            totals.sku = try cursor.text()
        } else if name.equals("location") {
            totals.location = try cursor.text()
        } else if name.equals("leaf") {
            totals.leaf = try cursor.text()
        } else {
            try cursor.skip()
        }
    }

    private static func line(_ cursor: inout JSONCursor, subject: String) throws -> BalanceLine {
        var key = StockKey(sku: subject)
        var version: Int64 = 0
        var figures = InlineArray<6, Int64?>(repeating: nil)
        try cursor.object { name, cursor in
            if name.equals("location") {
                key.location = try cursor.text()
            } else if name.equals("version") {
                version = try cursor.integer()
            } else if name.equals("lot") {
                key.lot = try cursor.text()
            } else if name.equals("owner") {
                key.owner = try cursor.text()
            } else if name.equals("sku") {
                key.sku = try cursor.text()
            } else if let bucket = bucket(name) {
                if cursor.takeNull() { return }
                guard let quantity = Quantity(bytes: try cursor.rawTextBytes()) else {
                    throw Failure(message: "a balance is no quantity")
                }
                figures[Int(bucket.rawValue)] = quantity.millionths
            } else {
                try cursor.skip()
            }
        }
        guard key.isValid else { throw Failure(message: "a balance has no SKU, or a separator in its key") }
        return BalanceLine(key: key, balance: Balance(version: version) { figures[Int($0.rawValue)] })
    }

    private static func bucket(_ name: UnsafeRawBufferPointer) -> Bucket? {
        if name.equals("unrestricted") { return .unrestricted }
        if name.equals("quarantined") { return .quarantined }
        if name.equals("damaged") { return .damaged }
        if name.equals("blocked") { return .blocked }
        if name.equals("allocated") { return .allocated }
        if name.equals("in_transit") { return .inTransit }
        return nil
    }
}
