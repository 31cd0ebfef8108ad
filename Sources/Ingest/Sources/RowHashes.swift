import Inventory

/// A row of a full export by 96 bits of its hash, and its number in the export: 16 bytes, since there may be millions.
struct RowHash: Comparable {
    let high: UInt64
    let low: UInt32
    let row: UInt32

    static func < (a: RowHash, b: RowHash) -> Bool { a.high == b.high ? a.low < b.low : a.high < b.high }

    func hasContent(of other: RowHash) -> Bool { high == other.high && low == other.low }

    /// As the memory stores it: in the order of bytes they are in the order of numbers.
    var bytes: [UInt8] { withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Array($0.prefix(12)) } }

    init(_ digest: Digest, row: UInt32) {
        high = digest.prefix16.0
        low = UInt32(truncatingIfNeeded: digest.prefix16.1 >> 32)
        self.row = row
    }

    /// Twelve bytes as they were stored.
    init(stored bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == 12, "a row's hash has 12 bytes")
        high = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
        low = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        row = 0
    }
}

extension [RowHash] {
    /// In place: the standard sort would hold half of them twice. Hashes are spread evenly, so their first byte parts
    /// them into 256 heaps of about a size, each of which is then sorted alone.
    mutating func sortInPlace() {
        var ends = [Int](repeating: 0, count: 256)
        for hash in self { ends[hash.heap] += 1 }
        var next = ends
        var sum = 0
        for heap in 0..<256 {
            next[heap] = sum
            sum += ends[heap]
            ends[heap] = sum
        }
        let starts = next
        for heap in 0..<256 {
            while next[heap] < ends[heap] {
                let belongs = self[next[heap]].heap
                if belongs != heap { swapAt(next[heap], next[belongs]) }
                next[belongs] += 1
            }
        }
        for heap in 0..<256 { self[starts[heap]..<ends[heap]].sort() }
    }
}

extension RowHash {
    fileprivate var heap: Int { Int(high >> 56) }
}

/// Hashes what a row means under one mapping: its values by column, not how they were quoted.
struct RowHasher {
    /// Of the mapping and the columns: another one makes every row another.
    private let seed: [UInt8]
    private var buffer: [UInt8] = []

    init(mapping: String, columns: [String]) {
        seed = Array("\(mapping)\u{1E}\(columns.joined(separator: "\u{1F}"))\u{1E}".utf8)
    }

    mutating func hash(_ item: DecodedItem, row: UInt32) -> RowHash {
        buffer.removeAll(keepingCapacity: true)
        buffer.append(contentsOf: seed)
        switch item {
        case .record(let record):
            for field in record.fields {
                // A length before each value, so that no two lists of values give the same bytes.
                withUnsafeBytes(of: field == Record.absent ? UInt32.max : UInt32(field.count)) {
                    buffer.append(contentsOf: $0)
                }
            }
            buffer.append(contentsOf: record.text)
        case .reject(_, let bytes, let reason):
            buffer.append(contentsOf: "reject \(reason.code) ".utf8)
            buffer.append(contentsOf: bytes)
        case .notice(let text): buffer.append(contentsOf: text.utf8)
        }
        return RowHash(Digest(sha256: buffer), row: row)
    }
}

/// Which rows of an export were not in the one before.
struct RowSet {
    private var words: [UInt64] = []
    private(set) var count = 0

    /// Once a row.
    mutating func insert(_ row: UInt32) {
        count += 1
        let word = Int(row / 64)
        if word >= words.count { words.append(contentsOf: repeatElement(0, count: word + 1 - words.count)) }
        words[word] |= 1 << UInt64(row % 64)
    }

    func contains(_ row: UInt32) -> Bool {
        let word = Int(row / 64)
        return word < words.count && words[word] & 1 << UInt64(row % 64) != 0
    }
}
