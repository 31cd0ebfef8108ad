package import Inventory

/// One thing that needs attention, and since when.
package struct HealthReason: Sendable, Equatable {
    /// In the order in which a technician should look at them.
    package enum Kind: String, Sendable, CaseIterable {
        /// The outbox's file is damaged.
        case damage
        /// Nothing may be published though the broker could be had.
        case held
        /// The broker refuses messages.
        case refusal
        /// The broker cannot be had, or something went wrong on the way to it.
        case broker
        /// Nothing is captured, for want of room or because capture failed.
        case paused
        /// Capture does not turn any more.
        case capture
        /// A lane's events wait too long.
        case late
        case source
        /// The local page cannot be served.
        case page
    }

    package var kind: Kind
    /// A lane's or a source's name; empty for all other kinds.
    package var subject: String
    package var words: String
    package var since: Timestamp

    package init(kind: Kind, subject: String = "", words: String, since: Timestamp) {
        self.kind = kind
        self.subject = subject
        self.words = words
        self.since = since
    }
}

/// What is wrong now. A reason whose words change is the same one: it began when its first words were said.
struct HealthBook {
    private struct Place: Hashable {
        var kind: HealthReason.Kind
        var subject: String
    }

    private var reasons: [Place: HealthReason] = [:]

    func words(_ kind: HealthReason.Kind, _ subject: String = "") -> String? {
        reasons[Place(kind: kind, subject: subject)]?.words
    }

    /// Nil words: it is over.
    mutating func set(_ kind: HealthReason.Kind, _ subject: String = "", to words: String?, now: Timestamp) {
        let place = Place(kind: kind, subject: subject)
        guard let words else { return reasons[place] = nil }
        reasons[place] = HealthReason(
            kind: kind, subject: subject, words: words, since: reasons[place]?.since ?? now)
    }

    func subjects(of kind: HealthReason.Kind) -> [String] { reasons.keys.filter { $0.kind == kind }.map(\.subject) }

    var all: [HealthReason] {
        HealthReason.Kind.allCases.flatMap { kind in
            reasons.values.filter { $0.kind == kind }.sorted { $0.subject < $1.subject }
        }
    }
}
