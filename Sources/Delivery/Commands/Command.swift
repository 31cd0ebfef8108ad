import Contract
import Inventory

/// Where an answer goes.
struct ReplyAddress: Sendable, Equatable {
    var topic: String
    /// As the request carried it; over MQTT 3.1.1 its text.
    var correlation: [UInt8]
}

/// A command that passed the gate: every part of it is of its form.
struct Command: Sendable {
    struct Replay: Sendable, Equatable {
        var lane: Lane
        var epoch: Epoch
        var sequences: ClosedRange<Int64>
        var goesToLane: Bool
    }

    struct Resync: Sendable, Equatable {
        var scope: SnapshotScope
        /// Nil begins a snapshot.
        var resume: Resume?

        struct Resume: Sendable, Equatable {
            var snapshot: String
            var epoch: Epoch
            var after: StockKey
            var keys: Int64
            var sum: LineSum
            var asof: ByLane<Int64>
        }
    }

    struct ReceiptClaim: Sendable, Equatable {
        var lane: Lane
        var epoch: Epoch
        var sequence: Int64
        var event: EventID
    }

    enum Ask: Sendable {
        case ping
        case replay(Replay)
        case resync(Resync)
        case receipt(ReceiptClaim)
        case digest(TreeNode)
    }

    var id: String
    var requester: String
    var address: ReplyAddress
    var verb: CommandVerb
    var ask: Ask
    /// The epoch that the requester names.
    var epoch: Epoch?
}

extension Command.Ask {
    struct Malformed: Error {
        var code = RejectionCode.malformed
        var message: String
        var limit: Int64?
    }

    /// A replay of more sequences is asked for in parts.
    static let longestReplay: Int64 = 1_000_000
    private static let longestPrefixBytes = 256

    /// Reads what the verb asks for.
    init(_ verb: CommandVerb, _ request: CommandRequest) throws(Malformed) {
        switch verb {
        case .ping: self = .ping
        case .replay: self = .replay(try Self.replay(request))
        case .resync: self = .resync(try Self.resync(request))
        case .receipt: self = .receipt(try Self.receipt(request))
        case .digest:
            guard let node = TreeNode(request.node ?? "") else {
                throw Malformed(message: "node wants 0 to 4 lower-case hex digits")
            }
            self = .digest(node)
        }
    }

    private static func replay(_ request: CommandRequest) throws(Malformed) -> Command.Replay {
        guard let from = request.from, let to = request.to, from >= 1, to >= from, to <= mostSequence else {
            throw Malformed(message: "replay wants from and to, 1 <= from <= to")
        }
        guard to - from < longestReplay else {
            throw Malformed(
                code: .tooLarge, message: "a replay covers at most \(longestReplay) sequences", limit: longestReplay)
        }
        guard ["requester", "lane"].contains(request.target ?? "requester") else {
            throw Malformed(message: "target wants requester or lane")
        }
        return Command.Replay(
            lane: try lane(request), epoch: try epoch(request), sequences: from...to,
            goesToLane: request.target == "lane")
    }

    private static func resync(_ request: CommandRequest) throws(Malformed) -> Command.Resync {
        var scope = SnapshotScope(sku: request.sku ?? "", location: request.location ?? "")
        guard max(scope.sku.utf8.count, scope.location.utf8.count) <= longestPrefixBytes else {
            throw Malformed(message: "sku and location have at most \(longestPrefixBytes) bytes")
        }
        if let leaf = request.leaf {
            guard leaf.utf8.count == TreeNode.leafDepth, let node = TreeNode(leaf) else {
                throw Malformed(message: "leaf wants 4 lower-case hex digits")
            }
            scope.leaf = UInt16(node.index)
        }
        guard let place = request.resume else { return Command.Resync(scope: scope, resume: nil) }
        guard let snapshot = request.snapshot, EventID(snapshot) != nil, let sum = LineSum(place.lines),
            (0...mostSequence).contains(place.keys), let asof = place.heads, place.after.key.isValid
        else { throw Malformed(message: "a resume wants snapshot, epoch and the place that the last answer gave") }
        return Command.Resync(
            scope: scope,
            resume: .init(
                snapshot: snapshot, epoch: try epoch(request), after: place.after.key, keys: place.keys, sum: sum,
                asof: asof))
    }

    private static func receipt(_ request: CommandRequest) throws(Malformed) -> Command.ReceiptClaim {
        guard let sequence = request.sequence, (1...mostSequence).contains(sequence),
            let event = request.event.flatMap({ EventID($0) })
        else { throw Malformed(message: "a receipt wants sequence and the id of the event there") }
        return Command.ReceiptClaim(
            lane: try lane(request), epoch: try epoch(request), sequence: sequence, event: event)
    }

    private static func lane(_ request: CommandRequest) throws(Malformed) -> Lane {
        guard let lane = request.lane.flatMap({ Lane(name: $0) }) else {
            throw Malformed(message: "lane wants critical, standard or bulk")
        }
        return lane
    }

    private static func epoch(_ request: CommandRequest) throws(Malformed) -> Epoch {
        guard let epoch = request.epoch.flatMap({ Epoch($0) }) else {
            throw Malformed(message: "epoch wants the form YYYYMMDDThhmmssZ-xxxx")
        }
        return epoch
    }
}
