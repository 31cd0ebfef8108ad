/// One unbroken life of an outbox: `YYYYMMDDThhmmssZ-xxxx`, UTC and four lower-case hex digits; compares as text.
package struct Epoch: Sendable, Hashable, Comparable {
    package let text: String

    /// Nil unless the text has the form and a real date, or is all zeros: the epoch before every other, for events
    /// that are only shown. The very last text is refused, so that there is a greater epoch than each.
    package init?(_ text: String) {
        guard text == Self.zero || Self.start(of: text) != nil, text != Self.last else { return nil }
        self.text = text
    }

    private static let zero = "00000000T000000Z-0000"
    private static let last = "99991231T235959Z-ffff"

    /// In the last year there is: whoever names such an epoch would use up all later ones.
    package var isAtTheEnd: Bool { text.hasPrefix("9999") }

    private init(second: Timestamp, suffix: UInt16) {
        let (year, month, day, hour, minute, secondOfMinute, _) = second.civil
        text = String(unsafeUninitializedCapacity: 21) { buffer in
            guard let out = buffer.baseAddress else { return 0 }
            out.putHex(UInt64(suffix), at: 5)
            out.putDecimal(UInt64(year), width: 4, at: 0)
            out.putDecimal(UInt64(month), width: 2, at: 4)
            out.putDecimal(UInt64(day), width: 2, at: 6)
            out[8] = UInt8(ascii: "T")
            out.putDecimal(UInt64(hour), width: 2, at: 9)
            out.putDecimal(UInt64(minute), width: 2, at: 11)
            out.putDecimal(UInt64(secondOfMinute), width: 2, at: 13)
            out[15] = UInt8(ascii: "Z")
            out[16] = UInt8(ascii: "-")
            return 21
        }
    }

    /// An epoch greater than all in `above`: at `now`, or a second after the greatest where the clock is behind it.
    package static func mint(now: Timestamp, above: [Epoch], random: UInt16) -> Epoch {
        let now = min(max(now, .first), .last)
        guard let greatest = above.max(), let known = start(of: greatest.text) else {
            return Epoch(second: now, suffix: random)
        }
        if known.milliseconds + 1_000 > Timestamp.last.milliseconds {
            // No later second has four digits for its year: only the suffix can grow.
            let suffix = UInt16(greatest.text.suffix(4), radix: 16) ?? 0
            return Epoch(second: known, suffix: max(random, suffix == .max ? suffix : suffix + 1))
        }
        return Epoch(second: max(now, Timestamp(milliseconds: known.milliseconds + 1_000)), suffix: random)
    }

    /// The second in which it began, by the clock of then; the first of all for the epoch before every other.
    package var start: Timestamp { Self.start(of: text) ?? .first }

    /// Nil unless the text has an epoch's form and a real date.
    private static func start(of text: String) -> Timestamp? {
        let bytes = Array(text.utf8)
        guard bytes.count == 21, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z"),
            bytes[16] == UInt8(ascii: "-"),
            (bytes[0..<8] + bytes[9..<15]).allSatisfy({ (0x30...0x39).contains($0) }),
            bytes[17...].allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        func number(_ range: Range<Int>) -> Int { bytes[range].reduce(0) { $0 * 10 + Int($1 - 0x30) } }
        return Timestamp.civil(
            year: number(0..<4), month: number(4..<6), day: number(6..<8), hour: number(9..<11),
            minute: number(11..<13), second: number(13..<15))
    }

    package static func < (a: Epoch, b: Epoch) -> Bool { a.text < b.text }
}
