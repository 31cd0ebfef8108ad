import SeededRandom

extension Seeded {
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
