/// One thing that `waybill doctor` looked at.
package struct DoctorFinding: Codable, Sendable, Equatable {
    package enum Verdict: String, Codable, Sendable {
        case ok, warning, failed
        /// It could not be looked at.
        case skipped
    }

    package var schema = 1
    /// `configuration`, `agent`, `files`, `disk`, `clock`, `dns`, `tcp`, `tls`, `login`, `acl` or `publish`.
    package var step: String
    /// Such as a path, a broker or a topic.
    package var subject: String
    package var verdict: Verdict
    package var words: String
    /// The commands, or the lines of a file, that mend it.
    package var remedies: [String] = []

    package init(_ step: String, _ subject: String, _ verdict: Verdict, _ words: String, remedies: [String] = []) {
        self.step = step
        self.subject = subject
        self.verdict = verdict
        self.words = words
        self.remedies = remedies
    }
}
