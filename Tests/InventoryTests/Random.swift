/// SplitMix64: the same numbers from the same seed, which each failing expectation prints.
struct Seeded: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    init(_ seed: UInt64 = .random(in: 0...UInt64.max)) {
        self.seed = seed
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// Text of everything a WMS may hold: controls, quotes, the separator, replacement characters, wide scalars.
    mutating func text(upTo length: Int = 12) -> String {
        let odd: [Unicode.Scalar] = [
            "\u{0}", "\u{1}", "\u{8}", "\u{9}", "\u{A}", "\u{C}", "\u{D}", "\u{1B}", "\u{1F}", "\"", "\\", "/",
            "\u{7F}", "\u{85}",
            "é", "\u{301}", "\u{2028}", "\u{2029}", "\u{FEFE}", "\u{FFFD}", "\u{FFFE}", "\u{D7FF}", "\u{E000}", "😀",
            "\u{10FFFF}",
        ]
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...length, using: &self) {
            let isOdd = Bool.random(using: &self)
            text.append(
                isOdd
                    ? odd.randomElement(using: &self) ?? "a"
                    : Unicode.Scalar(UInt8.random(in: 0x20...0x7E, using: &self)))
        }
        return String(text)
    }
}
