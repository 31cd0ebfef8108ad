/// One source, as `waybill sources` shows it. What is counted is counted since the agent's start.
package struct SourceDocument: Codable, Sendable {
    package struct Pause: Codable, Sendable {
        package var by: String
        package var since: String
    }

    package var schema = 1
    package var name: String
    package var kind: String
    package var path: String
    /// `ok`, or why it is not read.
    package var status: String
    /// What waits for `waybill sources accept` or `reject`, and why.
    package var hold: String?
    package var pause: Pause?
    /// The version of its mapping, as events carry it.
    package var mapping: String?
    /// Where it goes on; absent before the first commit.
    package var position: String?
    /// Where its last record stood, such as `moves.csv:61751`.
    package var lastRecord: String?
    /// When it last gave a record.
    package var lastRecordAt: String?
    /// For how long it has had more than was read, in milliseconds; 0: it is caught up.
    package var lag: Int64
    package var events: Int64
    package var ignored: Int64
    package var rejected: Int64
    /// Open ones, of all time.
    package var rejects: Int64
    /// Every rule gives an id and a time, so that it may be read again without a second event.
    package var canRewind: Bool

    enum CodingKeys: String, CodingKey {
        case schema, name, kind, path, status, hold, pause, mapping, position, lag, events, ignored, rejected, rejects
        case lastRecord = "last_record"
        case lastRecordAt = "last_record_at"
        case canRewind = "can_rewind"
    }
}

/// What pausing, resuming or rewinding a source did, or would do.
package struct SourceChangeDocument: Codable, Sendable {
    package var schema = 1
    package var name: String
    /// In words.
    package var what: String
    /// What a rewind reads again, as the files are now.
    package var files: Int?
    package var bytes: Int64?
}

/// One file of a drop directory, as `waybill sources files` shows it.
package struct SourceFileDocument: Codable, Sendable {
    package var schema = 1
    package var source: String
    package var name: String
    /// `read`, `refused`, `repeated` or `skipped`.
    package var outcome: String
    /// Why it was not read.
    package var reason: String?
    package var at: String
}

package struct SourceFileList: Codable, Sendable {
    package var files: [SourceFileDocument]
}
