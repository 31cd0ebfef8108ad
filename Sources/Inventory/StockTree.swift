// A fixed-shape hash tree over the stock of one site, kept the same way at both ends (docs/protocol.md, section 9).
//
//   leaf        the sum modulo 2^128 of its lines' hashes: a change costs one subtraction and one addition
//   level 3     4,096 nodes: SHA-256 over the 16 bytes of each of 16 leaves
//   levels 2-0  256, 16 and 1 node: SHA-256 over the 32 bytes of each of 16 children
//
// A line's leaf is the first 16 bits of the SHA-256 of its key. Inner nodes are made when somebody asks, and only those
// above leaves that changed since.

/// The first 128 bits of a line's SHA-256, or a sum of such numbers modulo 2^128.
package struct LineSum: Hashable, Sendable, CustomStringConvertible {
    package private(set) var high: UInt64
    package private(set) var low: UInt64

    package static let zero = LineSum(high: 0, low: 0)

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads 32 hex digits.
    package init?(_ text: String) {
        guard text.utf8.count == 32, text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
            let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    package static func + (a: LineSum, b: LineSum) -> LineSum {
        let (low, carried) = a.low.addingReportingOverflow(b.low)
        return LineSum(high: a.high &+ b.high &+ (carried ? 1 : 0), low: low)
    }

    package static func - (a: LineSum, b: LineSum) -> LineSum {
        let (low, borrowed) = a.low.subtractingReportingOverflow(b.low)
        return LineSum(high: a.high &- b.high &- (borrowed ? 1 : 0), low: low)
    }

    /// 32 lower-case hex digits.
    package var description: String { hexText(high) + hexText(low) }
}

/// A place in the tree: 0 to 3 hex digits name an inner node by its path from the root, 4 name a leaf.
package struct TreeNode: Hashable, Sendable, CustomStringConvertible {
    /// 0 for the root, 4 for leaves.
    package let depth: Int
    /// 0 ..< 16^depth.
    package let index: Int

    package static let root = TreeNode(depth: 0, index: 0)
    package static let leafDepth = 4

    private init(depth: Int, index: Int) {
        self.depth = depth
        self.index = index
    }

    package static func leaf(_ index: UInt16) -> TreeNode { TreeNode(depth: leafDepth, index: Int(index)) }

    /// Reads 0 to 4 lower-case hex digits.
    package init?(_ path: String) {
        guard path.utf8.count <= Self.leafDepth,
            path.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        self.init(depth: path.utf8.count, index: path.isEmpty ? 0 : Int(path, radix: 16) ?? 0)
    }

    package var isLeaf: Bool { depth == Self.leafDepth }
    package var children: [TreeNode] {
        isLeaf ? [] : (0..<16).map { TreeNode(depth: depth + 1, index: index * 16 + $0) }
    }

    /// The path.
    package var description: String {
        guard depth > 0 else { return "" }
        let digits = String(index, radix: 16)
        return String(repeating: "0", count: depth - digits.count) + digits
    }
}

package struct StockTree: Sendable {
    private var leaves = [LineSum](repeating: .zero, count: 65_536)
    /// By depth, 0 to 3; what is dirty is made anew before it is read.
    private var inner: [[Digest]]
    private var dirty: [[Bool]]

    /// Of no stock at all.
    package init() {
        let sizes = [1, 16, 256, 4_096]
        let none = Digest(sha256: [UInt8]())
        inner = sizes.map { [Digest](repeating: none, count: $0) }
        dirty = sizes.map { [Bool](repeating: true, count: $0) }
    }

    /// A line takes another's place; nil: there was none, or there is none any more.
    package mutating func replace(_ before: LineSum?, by after: LineSum?, in leaf: UInt16) {
        guard before != after else { return }
        let index = Int(leaf)
        if let before { leaves[index] = leaves[index] - before }
        if let after { leaves[index] = leaves[index] + after }
        // Above a dirty node all are dirty.
        var depth = 3
        while depth >= 0, !dirty[depth][index >> (4 * (4 - depth))] {
            dirty[depth][index >> (4 * (4 - depth))] = true
            depth -= 1
        }
    }

    /// SHA-256 of the whole: 64 hex digits as text.
    package mutating func root() -> Digest { digest(.root) }

    /// The hash of an inner node.
    package mutating func digest(_ node: TreeNode) -> Digest {
        precondition(!node.isLeaf, "a leaf is a sum")
        guard dirty[node.depth][node.index] else { return inner[node.depth][node.index] }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512)
        for child in node.children {
            if child.isLeaf {
                let sum = leaves[child.index]
                for word in [sum.high, sum.low] { withUnsafeBytes(of: word.bigEndian) { bytes += $0 } }
            } else {
                bytes += digest(child).bytes
            }
        }
        inner[node.depth][node.index] = Digest(sha256: bytes)
        dirty[node.depth][node.index] = false
        return inner[node.depth][node.index]
    }

    package func sum(ofLeaf index: UInt16) -> LineSum { leaves[Int(index)] }

    /// The hashes of a node's 16 children, as they travel: 64 hex digits each, 32 where they are leaves.
    package mutating func childHashes(of node: TreeNode) -> [String] {
        node.children.map { child in
            child.isLeaf ? leaves[child.index].description : digest(child).hex
        }
    }
}

extension StockKey {
    /// The leaf of the stock tree that the key's line belongs to: the first 16 bits of SHA-256 over the four fields,
    /// joined by 0x1F.
    package var leaf: UInt16 {
        withCanonicalBytes { UInt16(truncatingIfNeeded: Digest(sha256: $0).prefix8 >> 48) }
    }

    private func withCanonicalBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        let room = sku.utf8.count + location.utf8.count + lot.utf8.count + owner.utf8.count + 3
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: room) { buffer in
            guard let start = buffer.baseAddress else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
            let count = write(to: start)
            return body(UnsafeRawBufferPointer(start: start, count: count))
        }
    }

    /// The fields joined by 0x1F; how many bytes.
    fileprivate func write(to out: UnsafeMutablePointer<UInt8>) -> Int {
        var count = 0
        func put(_ text: String) {
            var text = text
            text.withUTF8 { bytes in
                guard let start = bytes.baseAddress else { return }
                (out + count).update(from: start, count: bytes.count)
                count += bytes.count
            }
        }
        put(sku)
        for field in [location, lot, owner] {
            out[count] = 0x1F
            count += 1
            put(field)
        }
        return count
    }
}

extension BalanceLine {
    /// The first 128 bits of SHA-256 over key, version and the six buckets, joined by 0x1F; `-` where a bucket is unknown.
    package var sum: LineSum {
        let keyBytes = key.sku.utf8.count + key.location.utf8.count + key.lot.utf8.count + key.owner.utf8.count + 3
        let room = keyBytes + 21 + Bucket.allCases.count * (Quantity.longest + 1)
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: room) { buffer in
            guard let out = buffer.baseAddress else { return .zero }
            var count = key.write(to: out)
            out[count] = 0x1F
            let width = decimalWidth(balance.version.magnitude)
            out.putDecimal(balance.version.magnitude, width: width, at: count + 1)
            count += 1 + width
            for bucket in Bucket.allCases {
                out[count] = 0x1F
                count += 1
                if let quantity = balance[bucket] {
                    count += quantity.write(to: out + count)
                } else {
                    out[count] = UInt8(ascii: "-")
                    count += 1
                }
            }
            let (high, low) = Digest(sha256: UnsafeRawBufferPointer(start: out, count: count)).prefix16
            return LineSum(high: high, low: low)
        }
    }
}
