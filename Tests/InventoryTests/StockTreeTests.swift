import SeededRandom
import Testing

@testable import Inventory

struct StockTreeTests {
    private func line(_ number: UInt64, version: Int64) -> BalanceLine {
        let key = StockKey(sku: "\(number)", location: "A-\(number % 7)")
        return BalanceLine(key: key, balance: Balance(version: version) { $0 == .damaged ? nil : version * 500_000 })
    }

    /// As section 9 of the contract says it, without the tree's shortcuts.
    private func reference(_ lines: [StockKey: BalanceLine], _ node: TreeNode) -> [UInt8] {
        if node.isLeaf {
            let sum = lines.values.filter { $0.key.leaf == node.index }.reduce(LineSum.zero) { $0 + $1.sum }
            return [sum.high, sum.low].flatMap { word in withUnsafeBytes(of: word.bigEndian) { [UInt8]($0) } }
        }
        return Digest(sha256: node.children.flatMap { reference(lines, $0) }).bytes
    }

    @Test func `kept up change by change, the tree is the one that is made from its lines`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = Seeded(seed)
        var tree = StockTree()
        var lines: [StockKey: BalanceLine] = [:]
        for version in 1...400 as ClosedRange<Int64> {
            let new = line(random.next() % 60, version: version)
            let old = lines[new.key]
            let isRemoval = old != nil && random.next() % 5 == 0
            tree.replace(old?.sum, by: isRemoval ? nil : new.sum, in: new.key.leaf)
            lines[new.key] = isRemoval ? nil : new
            if version % 40 == 0 { _ = tree.root() }
        }
        let path = try #require(lines.keys.first.map { TreeNode.leaf($0.leaf).description })
        for depth in 2..<4 {
            let node = try #require(TreeNode(String(path.prefix(depth))))
            #expect(tree.digest(node).bytes == reference(lines, node), "seed \(seed)")
        }
        var anew = StockTree()
        for line in lines.values { anew.replace(nil, by: line.sum, in: line.key.leaf) }
        #expect(anew.root() == tree.root(), "seed \(seed)")
        for line in lines.values { anew.replace(line.sum, by: nil, in: line.key.leaf) }
        var none = StockTree()
        #expect(anew.root() == none.root() && anew.root() != tree.root())
    }

    @Test func `a line is the contract's text and its leaf the first 16 bits of its key's hash`() {
        let key = StockKey(sku: "S", location: "L", lot: "", owner: "O")
        let line = BalanceLine(key: key, balance: Balance(version: 7) { $0 == .blocked ? nil : 1_500_000 })
        let unit = "\u{1F}"
        let digest = Digest(
            sha256: ["S", "L", "", "O", "7", "1.5", "1.5", "1.5", "-", "1.5", "1.5"].joined(separator: unit))
        #expect(line.sum == LineSum(high: digest.prefix16.0, low: digest.prefix16.1))
        let keyDigest = Digest(sha256: ["S", "L", "", "O"].joined(separator: unit))
        #expect(UInt64(key.leaf) == keyDigest.prefix8 >> 48)
    }

    @Test func `sums carry and borrow, and read back from their text`() {
        let one = LineSum(high: 0, low: 1)
        let most = LineSum(high: .max, low: .max)
        #expect(most + one == .zero && LineSum.zero - one == most)
        #expect(LineSum(most.description) == most && LineSum("xyz") == nil)
    }

    @Test func `a node is named by its path`() {
        #expect(TreeNode("")?.children.map(\.description).joined() == "0123456789abcdef")
        #expect(TreeNode("00f")?.children.last?.description == "00ff")
        #expect(TreeNode("abcd")?.isLeaf == true && TreeNode("abcd") == TreeNode.leaf(0xABCD))
        for path in ["x", "A", "abcde", "-1"] { #expect(TreeNode(path) == nil) }
    }

    @Test func `keys are equal and in order by their bytes, as the table that holds them`() {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        #expect(composed == decomposed)
        let keys = Set([StockKey(sku: composed), StockKey(sku: decomposed)])
        #expect(keys.count == 2)
        #expect(StockKey(sku: decomposed) < StockKey(sku: composed))
        #expect(StockKey(sku: "a", location: composed) != StockKey(sku: "a", location: decomposed))
        #expect(StockKey(sku: "a") < StockKey(sku: "a", location: "b") && !(StockKey(sku: "a") < StockKey(sku: "a")))
    }
}
