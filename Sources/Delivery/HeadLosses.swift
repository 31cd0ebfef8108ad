import Inventory
import MQTT

// A message that the broker answers by closing the connection would stop its lane for ever. So the losses are counted
// that come with the same message first in flight. Three in a row make a run go one by one, and a single event that
// goes on like that is skipped. A bad link must not look like a bad message: a loss counts only on a connection on
// which the broker had acked something, unless the broker itself names the message as the reason.

struct HeadLosses {
    enum Verdict: Equatable { case resend, skip }

    /// Whether a loss may be the fault of the message that was first in flight.
    enum Blame: Equatable {
        case none, possible
        /// The broker's DISCONNECT says that a message was too large or invalid.
        case named

        init(_ loss: ConnectionLoss) {
            switch loss.reason {
            case 0x95, 0x99: self = .named
            // Unspecified, malformed, protocol error, implementation specific, topic name invalid.
            case 0x80, 0x81, 0x82, 0x83, 0x90: self = .possible
            case nil: self = loss.isOurs ? .none : .possible
            // The broker says that it is about something else: rights, quota, an administrator, another connection.
            default: self = .none
            }
        }
    }

    /// Up to here a lane's events travel alone.
    private(set) var aloneUpTo: [Lane: Int64] = [:]
    private var suspect: (lane: Lane, first: Int64, last: Int64)?
    private var losses = 0
    private var hasHeardBroker = false
    private var hasHeardRefusal = false

    private static let patience = 3

    /// The lane whose head is skipped if the connection is lost once more. It then goes with nothing else on its way: a
    /// broker that refuses it and closes with more of ours unread resets the connection, and its refusal is never seen.
    var lastTry: Lane? {
        suspect.flatMap { $0.first == $0.last && losses >= Self.patience ? $0.lane : nil }
    }

    mutating func connected() {
        hasHeardBroker = false
        hasHeardRefusal = false
    }

    mutating func heardBroker() { hasHeardBroker = true }

    /// The broker answered a message by a refusal. Mosquitto 2.0.11 may close after one, and that is no word about what
    /// else was in flight.
    mutating func heardRefusal() {
        hasHeardRefusal = true
        suspect = nil
    }

    /// The lane's watermark rose: its head was no trouble.
    mutating func passed(_ lane: Lane) {
        if suspect?.lane == lane { suspect = nil }
    }

    mutating func lost(lane: Lane, run: Run, blame: Blame) -> Verdict {
        let isNamed = blame == .named
        guard blame != .none, !hasHeardRefusal || isNamed, hasHeardBroker || isNamed else { return .resend }
        let isSame = suspect.map { $0.lane == lane && $0.first == run.first && $0.last == run.last } ?? false
        suspect = (lane, run.first, run.last)
        losses = isSame ? losses + 1 : 1
        guard losses >= (isNamed ? 1 : Self.patience) else { return .resend }
        if run.count > 1 {
            aloneUpTo[lane] = run.last
            suspect = nil
            return .resend
        }
        // A single event has one more try, alone at the head.
        guard losses > (isNamed ? 1 : Self.patience) else { return .resend }
        suspect = nil
        return .skip
    }
}
