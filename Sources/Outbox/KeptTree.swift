package import Inventory
import SQLite

/// What a commit means for the stock tree.
struct TreeChange {
    /// Of the key, among the balances that the commit changed.
    let place: Int
    let leaf: UInt16
    let before: LineSum?
    let after: LineSum
}

/// The stock tree of an open outbox. It is made by a scan in the order of the primary key, page by page; meanwhile commits
/// count for the keys that the scan has passed, and the others are read when it comes to them.
struct KeptTree {
    private var tree = StockTree()
    private(set) var isBuilt: Bool
    private var scannedTo: StockKey?

    /// Rows a hold of the writer's lock.
    private static let page = 512

    init(isEmpty: Bool) { isBuilt = isEmpty }

    /// `key` gives a change's key; asked only while the tree is being made.
    mutating func apply(_ changes: [TreeChange], key: (TreeChange) -> StockKey) {
        for change in changes where isBuilt || hasPassed(key(change)) {
            tree.replace(change.before, by: change.after, in: change.leaf)
        }
    }

    private func hasPassed(_ key: StockKey) -> Bool { scannedTo.map { key <= $0 } ?? false }

    /// Reads one page more; true when the tree is whole.
    mutating func build(_ connection: Connection) throws -> Bool {
        guard !isBuilt else { return true }
        let lines = try StockRows.page(connection, after: scannedTo, limit: Self.page)
        for line in lines { tree.replace(nil, by: line.sum, in: line.key.leaf) }
        scannedTo = lines.last?.key ?? scannedTo
        isBuilt = lines.count < Self.page
        return isBuilt
    }

    mutating func root() -> Digest? { isBuilt ? tree.root() : nil }

    /// Nil until it is built.
    mutating func hashes(of node: TreeNode) -> (own: String, children: [String])? {
        guard isBuilt else { return nil }
        if node.isLeaf { return (tree.sum(ofLeaf: UInt16(node.index)).description, []) }
        return (tree.digest(node).hex, tree.childHashes(of: node))
    }
}

extension Outbox {
    /// Reads one page more of the stock for its tree; true when the tree is whole. For a quiet thread: until then beacons
    /// carry no root and digests are refused.
    package func buildTree() throws -> Bool { try write { try $0.tree.build($0.connection) } }

    /// What stands at a node, of one commit; nil until the tree is built.
    package func digest(of node: TreeNode) throws -> StockDigest? {
        try write { journal in
            guard let (own, children) = journal.tree.hashes(of: node) else { return nil }
            let lines = node.isLeaf ? try StockRows.leaf(journal.connection, UInt16(node.index)) : []
            return StockDigest(
                epoch: journal.progress.epoch, heads: ByLane { journal.progress.lanes[$0].head }, node: node, hash: own,
                children: children, lines: lines)
        }
    }
}

/// A node of the stock tree.
package struct StockDigest: Sendable {
    package var epoch: Epoch
    package var heads: ByLane<Int64>
    package var node: TreeNode
    /// 64 hex digits; of a leaf its sum, 32.
    package var hash: String
    /// Of an inner node.
    package var children: [String]
    /// Of a leaf.
    package var lines: [BalanceLine]
}
