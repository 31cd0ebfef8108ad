import Glibc
import Outbox

/// What a look at the whole outbox file found.
package struct VerifyDocument: Codable, Sendable, Equatable {
    package var schema = 1
    package var path: String
    /// In SQLite's words, at most 20; empty is healthy.
    package var problems: [String]

    package init(path: String, problems: [String]) {
        self.path = path
        self.problems = problems
    }
}

/// Looks at an outbox file that no agent has open.
package enum OutboxCheck {
    package enum Failure: Error, Equatable {
        case noFile(path: String)
        case notPermitted(path: String)
    }

    /// Reads the file and its log; changes neither.
    package static func verify(path: String) throws -> VerifyDocument {
        guard access(path, R_OK) == 0 else {
            throw errno == ENOENT ? Failure.noFile(path: path) : Failure.notPermitted(path: path)
        }
        return VerifyDocument(path: path, problems: try Outbox.problems(of: path))
    }
}
