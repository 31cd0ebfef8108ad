import Inventory

/// The records of a complete file, from its first byte to its end; a last line without its newline is whole.
struct RecordStream {
    private let file: TailFile
    private var decoder: any RecordDecoder
    private let ends: Framing
    /// The decoder's, once they are known.
    private var columns: [String]?
    private var buffer: [UInt8] = []
    /// In the file, of `buffer`'s first byte.
    private var start: Int64 = 0
    private var place = 0
    private var isAtEnd = false
    private(set) var isDone = false

    /// An item, and the names of its columns.
    typealias Body = (DecodedItem, [String]) throws -> Void

    private static let pieceBytes = 256 << 10
    static let longestRecord = 1 << 20

    init(_ file: TailFile, format: FormatDefinition) throws {
        self.file = file
        decoder = try format.decoder()
        ends = decoder.framing
        columns = decoder.columns
    }

    private mutating func give(_ item: DecodedItem, _ body: Body) throws {
        if columns == nil { columns = decoder.columns }
        try body(item, columns ?? [])
    }

    /// Gives what the next at least `bytes` hold; false after the end.
    mutating func read(bytes: Int, _ body: Body) throws -> Bool {
        let goal = start + Int64(place + bytes)
        while !isDone, start + Int64(place) < goal { try step(body) }
        return !isDone
    }

    private mutating func step(_ body: Body) throws {
        while let end = buffer.withUnsafeBytes({ ends.end(in: $0, from: place) }) {
            let line = RawLine(offset: start + Int64(place), bytes: ends.trimmed(buffer[place..<end]))
            place = end + ends.separator
            try take(line, body)
        }
        if isAtEnd { return try finish(body) }
        try refill(body)
    }

    private mutating func take(_ line: RawLine, _ body: Body) throws {
        if ends.holdsNUL(line.bytes) {
            return try give(.reject(line, "nul", "the line holds NUL bytes"), body)
        }
        if let item = decoder.decode(line) { try give(item, body) }
    }

    /// More of the file behind what is left of the buffer.
    private mutating func refill(_ body: Body) throws {
        buffer.removeSubrange(..<place)
        start += Int64(place)
        place = 0
        if buffer.count > Self.longestRecord {
            let line = RawLine(offset: start, bytes: buffer.prefix(4_096))
            try give(.reject(line, "too_long", "a line is longer than \(Self.longestRecord) bytes"), body)
            try skipLine()
        }
        let next = file.read(at: start + Int64(buffer.count), most: Self.pieceBytes)
        isAtEnd = next.isEmpty
        buffer.append(contentsOf: next)
    }

    private mutating func skipLine() throws {
        while true {
            start += Int64(buffer.count)
            buffer = file.read(at: start, most: Self.pieceBytes)
            if buffer.isEmpty { return }
            guard let end = buffer.withUnsafeBytes({ ends.end(in: $0, from: 0) }) else { continue }
            place = end + ends.separator
            return
        }
    }

    private mutating func finish(_ body: Body) throws {
        isDone = true
        let rest = RawLine(offset: start + Int64(place), bytes: buffer[min(place, buffer.count)...])
        place = buffer.count
        if !rest.bytes.isEmpty {
            if let length = ends.length {
                let words = "the file ends after \(rest.bytes.count) of a record's \(length) bytes"
                return try give(.reject(rest, "truncated", words), body)
            }
            try take(RawLine(offset: rest.offset, bytes: ends.trimmed(rest.bytes)), body)
        }
        if decoder.pendingOffset != nil {
            let reason = decoder.pendingReason
            try give(.reject(offset: rest.offset, bytes: rest.bytes, reason: reason), body)
            decoder.dropPending()
        }
        if let reason = decoder.finish() { try give(.reject(offset: rest.offset, bytes: [], reason: reason), body) }
    }
}
