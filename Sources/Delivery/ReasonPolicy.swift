/// What to do with a message that the broker answered (docs/protocol.md, section 10).
package enum Verdict: Equatable, Sendable {
    case acked
    /// Try again after this many milliseconds.
    case pauseLane(Int64)
    case pauseAll(Int64)
    case reconnect
    case shrinkWindow(Int64)
    /// Too large or invalid: a run goes one by one, a single event once more, then becomes a tombstone.
    case isolate
}

package struct ReasonPolicy: Sendable {
    package enum NoSubscriber: String, Sendable { case hold, accept }

    package var noSubscriber: NoSubscriber

    package init(noSubscriber: NoSubscriber) { self.noSubscriber = noSubscriber }

    /// `failures`: how often in a row this lane was refused before, from 0.
    package func verdict(reason: UInt8, failures: Int) -> Verdict {
        switch reason {
        case 0x10: noSubscriber == .accept ? .acked : .pauseLane(min(60_000, 5_000 << Int64(min(failures, 4))))
        case 0..<0x80: .acked
        case 0x80, 0x83: .pauseLane(failures < 3 ? 0 : 30_000)
        case 0x87: .pauseAll(60_000)
        case 0x90: .pauseLane(60_000)
        case 0x91: .reconnect
        case 0x97: .shrinkWindow(min(60_000, 1_000 << Int64(min(failures, 6))))
        case 0x95, 0x99: .isolate
        default: .pauseLane(30_000)
        }
    }

    /// What a technician reads.
    package func words(reason: UInt8) -> String {
        switch reason {
        case 0x10: "no consumer is subscribed at the broker"
        case 0x87: "the broker does not authorise this site to publish; check its access list"
        case 0x90: "the broker refuses the topic name; check its configuration"
        case 0x97: "the broker's quota is used up"
        case 0x95: "the message is larger than the broker takes"
        case 0x99: "the broker calls the payload's format invalid"
        default: "the broker refused a message (0x\(String(reason, radix: 16)))"
        }
    }
}
