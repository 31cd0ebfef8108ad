import Ingest

/// Tells a source that has nothing to say from one whose WMS stopped exporting: by `expect_every`.
struct SourceRhythm {
    /// In milliseconds; nil: it may be silent for as long as it likes.
    let expected: Int64?
    private var lastGave: Int64

    /// Silence counts from when the agent began to listen.
    init(expected: Int64?, monotonic: Int64) {
        self.expected = expected
        lastGave = monotonic
    }

    /// What was read, and "silent" in place of "ok" when something is overdue. A file that was read and changed nothing
    /// is a sign of life as well.
    mutating func judge(_ read: PipelineRead, monotonic: Int64) -> PipelineRead {
        if read.batch != nil || read.more { lastGave = monotonic }
        guard let expected, read.status == "ok", monotonic - lastGave > expected else { return read }
        var read = read
        read.status =
            "silent: nothing came for more than \(TimeWords.age(milliseconds: expected)) (expect_every); check the WMS's export"
        return read
    }
}
