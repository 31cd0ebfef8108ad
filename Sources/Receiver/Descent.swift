import Contract
import Inventory

// A walk down the two hash trees, node by node, to the lines that differ. A pure value: it names the node to ask for and
// takes the answers.

struct Descent {
    enum Finding: Equatable {
        /// The same version says something else, or the agent's is older: that cannot become right by waiting.
        case differs
        /// Only one side has the key.
        case oneSided
    }

    private(set) var open: [TreeNode] = [.root]
    private(set) var findings: [StockKey: Finding] = [:]
    private(set) var leaves: Set<UInt16> = []
    /// Bytes of requests and answers.
    var bytes = 0
    /// The answers' heads were our own offsets: what is one-sided then is no event on its way.
    private(set) var isLevel = true
    private(set) var isEqual = true

    /// More than so many nodes apart are mended by a snapshot of all stock.
    static let mostNodes = 512

    var next: TreeNode? { open.first }
    var isTooWide: Bool { open.count > Self.mostNodes }

    mutating func note(isLevel: Bool) { self.isLevel = self.isLevel && isLevel }

    /// The agent's answer for an inner node, against the same of ours.
    mutating func take(_ node: TreeNode, hash: String, children: [String], own: (hash: String, children: [String])) {
        open.removeAll { $0 == node }
        guard hash != own.hash else { return }
        isEqual = false
        for (child, (theirs, ours)) in zip(node.children, zip(children, own.children)) where theirs != ours {
            open.append(child)
        }
    }

    /// The agent's lines of a leaf, against ours of the agent's present epoch.
    mutating func take(
        leaf node: TreeNode, lines: [CommandReply.TreeLine],
        own: [StockKey: (isPresentEpoch: Bool, version: Int64, sum: LineSum)]
    ) {
        open.removeAll { $0 == node }
        var rest = own
        var found: [StockKey: Finding] = [:]
        for line in lines {
            guard let ours = rest.removeValue(forKey: line.key.key) else {
                found[line.key.key] = .oneSided
                continue
            }
            guard ours.isPresentEpoch else {
                found[line.key.key] = .oneSided
                continue
            }
            if line.version > ours.version { continue }
            if line.version < ours.version || line.hash != ours.sum.description { found[line.key.key] = .differs }
        }
        for key in rest.keys { found[key] = .oneSided }
        guard !found.isEmpty else { return }
        findings.merge(found) { $1 }
        leaves.insert(UInt16(node.index))
    }

    /// What is drift, given what the descent before found one-sided.
    func drift(suspects: Set<StockKey>) -> [StockKey] {
        findings.filter { $0.value == .differs || isLevel || suspects.contains($0.key) }.map(\.key)
            .sorted { ($0.sku, $0.location) < ($1.sku, $1.location) }
    }
}
