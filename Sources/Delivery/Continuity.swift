package import Inventory

// Is this outbox still the one that wrote last? (docs/protocol.md, section 4.)
//
// Each beacon's number is committed to the outbox before it is sent, so the retained beacon can only be ahead of the
// outbox when somebody else wrote after its last commit: the machine was rolled back, or it has a living clone. The
// two differ in whether the retained beacon changes while this agent looks on without publishing.

/// What a retained beacon says of its writer.
package struct BeaconMark: Equatable, Sendable {
    package var epoch: Epoch
    package var number: Int64
    package var session: String

    package init(epoch: Epoch, number: Int64, session: String) {
        self.epoch = epoch
        self.number = number
        self.session = session
    }
}

package struct Continuity: Sendable {
    package enum Judgement: Equatable, Sendable {
        case holds
        /// Disconnect without publishing and look again.
        case lookAgain
        case foreignAgent
        /// Begin an epoch above this one.
        case rolledBack(above: Epoch)
    }

    /// What the retained messages say of who wrote last; nil when they say nothing of it. A birth certificate counts
    /// where the beacon is missing or older: its epoch alone tells of another writer.
    package static func lastWriter(beacon: BeaconMark?, meta: Epoch?, own: Epoch) -> BeaconMark? {
        guard let meta, meta > own, meta > beacon?.epoch ?? own else { return beacon }
        return BeaconMark(epoch: meta, number: 0, session: "")
    }

    private var suspect: BeaconMark?

    package init() {}

    package var isSuspicious: Bool { suspect != nil }

    /// `own` is what this outbox committed last.
    package mutating func judge(own: BeaconMark, retained: BeaconMark?) -> Judgement {
        guard let retained, !Self.holds(own: own, retained: retained) else {
            suspect = nil
            return .holds
        }
        defer { suspect = retained }
        guard let suspect else { return .lookAgain }
        if suspect != retained { return .foreignAgent }
        return .rolledBack(above: retained.epoch)
    }

    /// Whether nobody else wrote after this outbox's last commit.
    package static func holds(own: BeaconMark, retained: BeaconMark) -> Bool {
        if retained.epoch < own.epoch { return true }
        if retained.epoch > own.epoch { return false }
        return retained.number < own.number || (retained.number == own.number && retained.session == own.session)
    }
}
