/// A column by its position: `name from-to [kind [places]]`, bytes of the record from 1, both ends included.
package struct FixedColumn: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        /// Blanks and low values at its end are padding.
        case text
        /// COMP-3: two digits a byte, the last half byte is the sign.
        case packed
        /// Digits as characters, with a sign over the last one, before or behind them.
        case zoned
    }

    package var name: String
    /// In the record, from 0.
    package var bytes: Range<Int>
    package var kind = Kind.text
    /// How many of a number's digits are decimals.
    package var places = 0

    /// No record is longer than a line may be.
    private static let furthest = 1 << 20
    /// What a host's arithmetic holds.
    private static let mostDigits = 31
    private static let form = "write: name from-to [text | packed | zoned [places]], such as qty 18-22 packed 2"

    /// Throws `IngestError` for what is no column.
    package init(_ text: String) throws(IngestError) {
        let words = text.split(separator: " ")
        guard (2...4).contains(words.count) else {
            throw IngestError("column \"\(text)\" is no name, range and kind", hint: Self.form)
        }
        name = String(words[0])
        bytes = try Self.range(words[1], of: "column \"\(text)\"")
        if words.count > 2 { kind = try Self.kind(words[2], text) }
        if words.count > 3 { places = try Self.places(words[3], kind, text) }
        let digits = kind == .packed ? bytes.count * 2 - 1 : bytes.count
        guard kind == .text || digits <= Self.mostDigits + 1 else {
            throw IngestError(
                "column \"\(text)\" has room for \(digits) digits", hint: "numbers have at most \(Self.mostDigits)")
        }
        guard places <= digits else {
            throw IngestError("column \"\(text)\" has \(digits) digits", hint: "places are at most as many")
        }
    }

    /// `1-3`, or one byte as `4`.
    package static func range(_ word: some StringProtocol, of what: String) throws(IngestError) -> Range<Int> {
        let ends = word.split(separator: "-", omittingEmptySubsequences: false).map { position($0) }
        guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1] else {
            throw IngestError("\(what): \"\(word)\" is no range of bytes", hint: "write from-to, such as 18-22")
        }
        guard first >= 1, first <= last, last <= furthest else {
            throw IngestError(
                "\(what): \(word) is no range of bytes", hint: "positions rise, from 1 to at most \(furthest)")
        }
        return first - 1..<last
    }

    /// Digits alone: `Int` would take a sign too.
    private static func position(_ word: some StringProtocol) -> Int? {
        word.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(word) : nil
    }

    private static func kind(_ word: Substring, _ text: String) throws(IngestError) -> Kind {
        if let kind = Kind(rawValue: String(word)) { return kind }
        throw IngestError(
            "column \"\(text)\": \"\(word)\" is no kind",
            hint: "kinds are \(Kind.allCases.map(\.rawValue).joined(separator: ", "))")
    }

    private static func places(_ word: Substring, _ kind: Kind, _ text: String) throws(IngestError) -> Int {
        guard kind != .text else {
            throw IngestError("column \"\(text)\": a text has no decimal places", hint: "make it packed or zoned")
        }
        if let places = position(word) { return places }
        throw IngestError("column \"\(text)\": \"\(word)\" is no number of decimal places", hint: Self.form)
    }
}
