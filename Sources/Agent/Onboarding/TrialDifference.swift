import Ingest
import Inventory

/// What another mapping makes of the same sample: both are read side by side, by where their records begin.
package struct TrialDifference: Sendable {
    package private(set) var same = 0
    package private(set) var changed = 0
    /// Records that only one of the two reads, as when the formats differ.
    package private(set) var onlyOld = 0
    package private(set) var onlyNew = 0
    /// The first ones: a place, what was under `-`, what would be under `+`.
    package private(set) var lines: [String] = []

    private static let mostShown = 20
    private var shown = 0

    package var isSame: Bool { changed + onlyOld + onlyNew == 0 }

    package var words: String {
        "\(same) records stay, \(changed) change, \(onlyOld) are read by the old one only, \(onlyNew) by the new one only"
    }

    init(old: SampleReader, new: SampleReader) throws {
        var before = try old.next()
        var after = try new.next()
        while before != nil || after != nil {
            let first = min(before?.position.offset ?? .max, after?.position.offset ?? .max)
            let was = before?.position.offset == first ? before : nil
            let willBe = after?.position.offset == first ? after : nil
            note(was, willBe)
            if was != nil { before = try old.next() }
            if willBe != nil { after = try new.next() }
        }
    }

    private mutating func note(_ old: CapturedRecord?, _ new: CapturedRecord?) {
        let (was, willBe) = (old.map { OutcomeWords.lines($0.outcome) }, new.map { OutcomeWords.lines($0.outcome) })
        if was == willBe {
            same += 1
            return
        }
        if was == nil { onlyNew += 1 } else if willBe == nil { onlyOld += 1 } else { changed += 1 }
        guard shown < Self.mostShown, let position = (old ?? new)?.position else { return }
        shown += 1
        lines.append("\(position)")
        lines += (was ?? []).map { "- \($0)" } + (willBe ?? []).map { "+ \($0)" }
    }
}
