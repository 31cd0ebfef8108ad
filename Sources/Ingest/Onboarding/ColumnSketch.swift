import Inventory

/// What a column's values look like.
package struct ColumnSketch: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        case empty, text, integer
        /// `isSure`: no value could be read with the other mark too, as 1.234 can.
        case decimal(mark: Character, isSure: Bool)
        /// As `local_time` reads it; `other`: a pattern that fits all values as well.
        case time(pattern: String, other: String?)
        /// RFC 3339, with its offset from UTC.
        case instant
        /// COMP-3, which the format turns into a number.
        case packed
    }

    package var name: String
    package var kind: Kind
    /// Records that have a value.
    package var filled: Int
    /// The values and how often each was seen, most often first; only as many as tell a code from a text.
    package var values: [(text: String, count: Int)] { counted.map { ($0.text, $0.count) } }
    package var isUnique: Bool
    /// Blanks around values.
    package var isPadded: Bool
    package var example: String
    var hasNegative = false
    /// All values have as many characters.
    private(set) var isEven = false
    /// As many as there are different ones.
    private(set) var distinct = 0
    private var counted: [Count] = []

    private struct Count: Sendable, Equatable {
        var text: String
        var count: Int
    }

    static let mostCodes = 100

    init(name: String, values: [String]) {
        self.name = name
        let trimmed = values.map(Self.trimmed)
        let present = trimmed.filter { !$0.isEmpty }
        filled = present.count
        isPadded = zip(values, trimmed).contains { $0.utf8.count != $1.utf8.count }
        example = present.first ?? ""
        var counts: [String: Int] = [:]
        for value in present { counts[value, default: 0] += 1 }
        distinct = counts.count
        isEven = Set(present.lazy.map(\.utf8.count)).count == 1
        isUnique = present.count > 1 && counts.count == present.count
        kind = Self.kind(of: Array(counts.keys.prefix(500)))
        hasNegative = present.contains { $0.hasPrefix("-") || $0.hasSuffix("-") || $0.hasPrefix("(") }
        if counts.count <= Self.mostCodes {
            counted = counts.map { Count(text: $0.key, count: $0.value) }
                .sorted { ($1.count, $0.text) < ($0.count, $1.text) }
        }
    }

    package var isNumber: Bool {
        switch kind {
        case .integer, .decimal, .packed: true
        default: false
        }
    }

    package var isTime: Bool {
        if case .time = kind { return true }
        return kind == .instant
    }

    /// Few values that come again and again, and none of them long.
    package var isCode: Bool {
        let most = max(1, min(60, filled / 3))
        return (1...most).contains(counted.count) && counted.allSatisfy { $0.text.utf8.count <= 12 }
    }

    /// In words, for a comment.
    package var words: String {
        switch kind {
        case .empty: "always empty"
        case .text where counted.count == 1: "always the same"
        case .text: isCode ? "code with \(counted.count) values" : "text"
        case .integer: "whole numbers"
        case .decimal(let mark, let isSure): "decimals with '\(mark)'\(isSure ? "" : ", or thousands")"
        case .time(let pattern, let other): "time \(pattern)\(other.map { " or \($0)" } ?? "")"
        case .instant: "time with its offset"
        case .packed: "packed decimals"
        }
    }

    static func trimmed(_ text: String) -> String {
        var bytes = Substring(text).utf8
        while bytes.first == 0x20 { bytes = bytes.dropFirst() }
        while bytes.last == 0x20 { bytes = bytes.dropLast() }
        return String(Substring(bytes))
    }

    // MARK: kinds

    /// Not `yyMMdd`: six digits are something else too often.
    private static let dates = [
        "yyyyMMdd", "yyyy-MM-dd", "dd.MM.yyyy", "dd/MM/yyyy", "MM/dd/yyyy", "dd-MM-yyyy", "yyyy/MM/dd",
        "dd.MM.yy", "dd/MM/yy", "MM/dd/yy", "CyyMMdd",
    ]
    private static let times = ["HHmmss", "HH:mm:ss", "HH:mm", "HH.mm.ss", "HH:mm:ss.SSS"]

    private static func kind(of values: [String]) -> Kind {
        guard !values.isEmpty else { return .empty }
        if let time = time(values) { return time }
        if values.allSatisfy({ $0.utf8.count > 10 && Timestamp(rfc3339: $0) != nil }) { return .instant }
        if values.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) { return .integer }
        let (point, comma) = (reads(values, "."), reads(values, ","))
        if point, comma { return values.contains { $0.contains { ".,".contains($0) } } ? undecided(values) : .integer }
        if point || comma { return .decimal(mark: comma ? "," : ".", isSure: true) }
        return .text
    }

    /// Both marks read all values: groups of three follow each.
    private static func undecided(_ values: [String]) -> Kind {
        .decimal(mark: values.contains { $0.contains(",") } ? "," : ".", isSure: false)
    }

    private static func reads(_ values: [String], _ mark: Character) -> Bool {
        values.allSatisfy { value in
            var value = value
            return value.withUTF8 { (try? DecimalText.quantity(.init($0), mark: mark.asciiValue ?? 0)) != nil }
        }
    }

    private static func time(_ values: [String]) -> Kind? {
        guard let length = values.first?.utf8.count, values.allSatisfy({ $0.utf8.count == length }) else { return nil }
        var patterns = dates + times
        for date in dates { patterns += times.flatMap { ["\(date) \($0)", "\(date)T\($0)", "\(date)\($0)"] } }
        let fitting = patterns.filter { pattern in
            pattern.utf8.count == length && values.allSatisfy { fits($0, pattern) }
        }
        return fitting.first.map { .time(pattern: $0, other: fitting.dropFirst().first) }
    }

    /// A year of this age, or any digits would be a date.
    private static func fits(_ value: String, _ pattern: String) -> Bool {
        var (value, pattern) = (value, pattern)
        let reading = value.withUTF8 { text in pattern.withUTF8 { TimePattern.read(.init(text), pattern: .init($0)) } }
        guard let reading else { return false }
        return !pattern.contains("y")
            || (315_532_800_000..<4_102_444_800_000).contains(reading.moment.milliseconds)
    }
}
