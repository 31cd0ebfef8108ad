// What a tombstone keeps of the event in whose place it stands, cut out of that event's own bytes.

/// Raw JSON values of an encoded event; they point into its payload.
struct SkippedParts {
    var type: UnsafeRawBufferPointer?
    var subject: UnsafeRawBufferPointer?
    var balances: [UnsafeRawBufferPointer] = []

    init() {}

    init(payload: UnsafeRawBufferPointer) {
        let reader = CompactJSON(bytes: payload)
        let event = 0..<payload.count
        type = reader.member("type", of: event).map { reader.slice($0) }
        subject = reader.member("subject", of: event).map { reader.slice($0) }
        if let data = reader.member("data", of: event), let lines = reader.member("balances", of: data) {
            balances = reader.elements(of: lines).map { reader.slice($0) }
        }
    }
}

/// The parts that fit into a tombstone, in the order of their worth: type, subject, then balances from the first on.
struct Tombstone {
    private(set) var type: UnsafeRawBufferPointer?
    private(set) var subject: UnsafeRawBufferPointer?
    private(set) var balances: [UnsafeRawBufferPointer] = []

    /// All that a tombstone holds beside its address, source, reason and these parts.
    static let fixedBytes = 320

    init(_ parts: SkippedParts, room: Int) {
        var room = room
        func take(_ part: UnsafeRawBufferPointer?, times: Int) -> UnsafeRawBufferPointer? {
            guard let part, part.count * times <= room else { return nil }
            room -= part.count * times
            return part
        }
        type = take(parts.type, times: 1)
        subject = take(parts.subject, times: 2)
        // Without its subject a line would not say whose stock it is.
        guard subject != nil else { return }
        for line in parts.balances {
            guard line.count < room else { break }
            room -= line.count + 1
            balances.append(line)
        }
    }
}
