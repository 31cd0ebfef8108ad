import Ingest
import Outbox
import SQLite

/// Why the program does not start, for an operator.
package struct Refusal {
    package var what: String
    /// Each a line.
    package var whys: [String]
    package var remedy: String

    package init(_ error: any Error) {
        switch error {
        case let error as ConfigurationError:
            let count = error.problems.count
            what = "the configuration cannot be used: \(count == 1 ? "one problem" : "\(count) problems")"
            whys = error.problems
            remedy = "mend the file; \"waybill check\" looks at it again without starting anything"
        case let error as IngestError:
            (what, whys, remedy) = Self.parts("a source cannot be used", error.message, error.hint)
        case let error as OutboxError:
            (what, whys, remedy) = Self.parts("the outbox cannot be used", error.message, error.hint)
        case let error as SQLiteError:
            (what, whys, remedy) = Self.parts(
                "the outbox cannot be used", "\(error.operation): \(error.message)", error.hint)
        case let error as NewerSchemaError:
            what = "the outbox was made by a newer version"
            whys = [
                "it has schema \(error.found), written by version \(error.writtenBy); this version knows \(error.known)"
            ]
            remedy = "install version \(error.writtenBy) or later; the file is untouched"
        case let error as ControlError:
            (what, whys, remedy) = Self.parts("the control socket cannot be used", error.message, error.hint)
        default: (what, whys, remedy) = Self.parts("this cannot be done", "\(error)", "")
        }
    }

    private static func parts(_ what: String, _ why: String, _ hint: String) -> (String, [String], String) {
        (what, [why], hint.isEmpty ? "look at the log: journalctl -u waybill" : hint)
    }
}
