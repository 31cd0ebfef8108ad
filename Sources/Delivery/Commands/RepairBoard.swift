import Contract
package import Inventory
import Synchronization

/// What a technician wants sent again.
package struct RepairOrder: Sendable {
    package enum Work: Sendable {
        case replay(lane: Lane, epoch: Epoch, sequences: ClosedRange<Int64>, to: Destination)
        case resync(SnapshotScope, requester: String)
    }

    package enum Destination: Sendable, Equatable {
        case lane
        case requester(String)
    }

    package var work: Work
    /// Who, for the audit log.
    package var actor: String

    package init(work: Work, actor: String) {
        self.work = work
        self.actor = actor
    }

    /// What of, for the audit log and for people.
    package var words: String { "\(verb.rawValue) \(subject)" }

    var subject: String {
        switch work {
        case .replay(let lane, let epoch, let sequences, let to):
            let place =
                switch to {
                case .lane: "the lane"
                case .requester(let name): name
                }
            return "\(lane.name) \(sequences.lowerBound)-\(sequences.upperBound) of \(epoch.text) to \(place)"
        case .resync(let scope, let requester): return "\(scope.words) to \(requester)"
        }
    }

    var verb: CommandVerb {
        switch work {
        case .replay: .replay
        case .resync: .resync
        }
    }
}

extension SnapshotScope {
    var words: String {
        if let leaf { return "leaf \(TreeNode.leaf(leaf))" }
        if isAll { return "all stock" }
        return [sku.isEmpty ? nil : "SKU \(sku)…", location.isEmpty ? nil : "location \(location)…"]
            .compactMap { $0 }.joined(separator: ", ")
    }
}

/// How far an order is.
package struct RepairState: Codable, Sendable, Equatable {
    package enum Status: String, Codable, Sendable { case waiting, running, done, failed }

    package var schema = 1
    package var id: Int64
    package var status = Status.waiting
    /// Events or keys that went out so far, and how many there are in all where that is known.
    package var sent: Int64 = 0
    package var total: Int64?
    /// Why it failed.
    package var reason: String?
}

/// Orders on their way from the control socket to the session's thread, and what became of them. Safe from any thread.
package final class RepairBoard: Sendable {
    private struct State {
        var orders: [(id: Int64, order: RepairOrder)] = []
        var states: [Int64: RepairState] = [:]
        var lastID: Int64 = 0
    }

    private let state = Mutex(State())
    private static let mostWaiting = 8
    private static let mostKept = 100

    package init() {}

    /// Nil: so many wait that this one is not taken.
    package func place(_ order: RepairOrder) -> RepairState? {
        state.withLock { state in
            guard state.orders.count < Self.mostWaiting else { return nil }
            state.lastID += 1
            let id = state.lastID
            state.orders.append((id, order))
            state.states[id] = RepairState(id: id)
            state.states[id - Int64(Self.mostKept)] = nil
            return state.states[id]
        }
    }

    package func state(_ id: Int64) -> RepairState? { state.withLock { $0.states[id] } }

    var isEmpty: Bool { state.withLock { $0.orders.isEmpty } }

    func take() -> (id: Int64, order: RepairOrder)? {
        state.withLock { $0.orders.isEmpty ? nil : $0.orders.removeFirst() }
    }

    func change(_ id: Int64, _ body: (inout sending RepairState) -> Void) {
        state.withLock { state in
            guard var line = state.states[id] else { return }
            body(&line)
            state.states[id] = line
        }
    }
}
