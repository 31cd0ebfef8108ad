/// A directory into which complete files are dropped.
package struct DropSettings: Sendable, Equatable {
    package enum Completion: Sendable, Equatable {
        /// Beside `stock.csv` stands `stock.csv.done` or `stock.done`, not older than it.
        case marker(String)
        /// Size and time stand still for so long, in milliseconds.
        case settle(Int64)
        /// A file that fits the pattern was renamed to it when it was whole.
        case renamed
    }

    package enum Order: String, Sendable, CaseIterable { case name, modified }
    package enum After: String, Sendable, CaseIterable { case leave, archive, delete }

    package var completion = Completion.settle(10_000)
    package var order = Order.name
    package var after = After.leave
    /// Where files go that were read (`archive`), and those that were refused, with a reason file beside each.
    package var archive: String?
    package var failed: String?
    /// How long a missing or unfinished file is waited for, in milliseconds.
    package var patience: Int64 = 600_000
    /// So many files one look keeps at most; the others wait for a later one.
    package var mostAtOnce = 20_000
    /// Nil: each file reports changes.
    package var full: FullSettings?

    package init() {}
}

/// Files that hold all that there is: what changed is found by comparing.
package struct FullSettings: Sendable, Equatable {
    /// What it means that a key is not in the export any more.
    package enum Missing: String, Sendable, CaseIterable { case zero, unchanged }
    /// The time that an export speaks of: the date in its name, or its file's last change.
    package enum AsOf: String, Sendable, CaseIterable { case name, modified }

    package var missing = Missing.zero
    /// Percent of the known keys that may be gone at once.
    package var goneLimit: Int64 = 20
    package var asOf = AsOf.name
    /// Files that form one export together; told apart by `{part}`.
    package var parts: Int = 1
    /// The ledger source whose stock this export only checks.
    package var checks: String?

    package init() {}
}
