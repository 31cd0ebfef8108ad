import Glibc

/// Which names of a drop directory are exports, and what their names say. Letters match in either case, as Windows
/// shares have them.
///
/// `*` and `?` as in a shell; in braces digits: a date such as `{yyyyMMdd}`, `{seq}` a running number, `{part}` and
/// `{parts}` of one export in several files (`stock-{part}of{parts}.csv`).
package final class DropPattern {
    private enum Token: Equatable {
        case date(String)
        case sequence, part, parts
    }

    private let regex: PosixRegex
    private var tokens: [Token] = []

    /// Throws for braces that hold something else.
    package init(_ text: String) throws {
        var expression = "^"
        var rest = Substring(text)
        while let character = rest.popFirst() {
            switch character {
            case "*": expression += ".*"
            case "?": expression += "."
            case "{":
                let inside = String(rest.prefix { $0 != "}" })
                rest = rest.dropFirst(inside.count + 1)
                let token = try Self.token(inside)
                let length = if case .date(let pattern) = token { "\(pattern.count)" } else { "1,18" }
                expression += "([0-9]{\(length)})"
                tokens.append(token)
            case _ where character.isLetter || character.isNumber || "_- ".contains(character):
                expression.append(character)
            default: expression += "[\(character == "^" ? "\\^" : String(character))]"
            }
        }
        guard let regex = PosixRegex(expression + "$", ignoresCase: true) else {
            throw IngestError("\"\(text)\" is no pattern of file names", hint: "use *, ? and tokens in braces")
        }
        self.regex = regex
    }

    private static func token(_ text: String) throws -> Token {
        switch text {
        case "seq": return .sequence
        case "part": return .part
        case "parts": return .parts
        default:
            guard !text.isEmpty, text.allSatisfy({ "yMdHms".contains($0) }) else {
                throw IngestError(
                    "{\(text)} is no part of a file name",
                    hint: "braces hold a date such as {yyyyMMdd}, or seq, part, parts")
            }
            return .date(text)
        }
    }

    /// Nil for a name that does not fit.
    func read(_ name: String) -> DropName? {
        guard let places = regex.captures(in: name, count: tokens.count + 1) else { return nil }
        var utf8 = Array(name.utf8)
        var read = DropName()
        for (token, place) in zip(tokens, places.dropFirst()) {
            let value = String(decoding: utf8[place], as: UTF8.self)
            switch token {
            case .date(let pattern): read.date += Self.sortable(value, pattern)
            case .sequence: read.sequence = Int64(value)
            case .part: read.part = Int(value)
            case .parts: read.parts = Int(value)
            }
        }
        guard tokens.contains(.part) else { return read }
        // From the back, so that no place moves before it is used.
        for (token, place) in zip(tokens, places.dropFirst()).reversed() where token == .part {
            utf8.replaceSubrange(place, with: [UInt8(ascii: "*")])
        }
        read.export = String(decoding: utf8, as: UTF8.self).lowercased()
        return read
    }

    /// The digits of a date from year to second, so that texts sort as times do.
    private static func sortable(_ value: String, _ pattern: String) -> String {
        let pairs = Array(zip(pattern, value))
        return "yMdHms".map { unit in String(pairs.filter { $0.0 == unit }.map(\.1)) }.joined()
    }
}

/// What a file's name says.
struct DropName: Equatable {
    /// The digits of its date, from the year on; empty: it has none.
    var date = ""
    var sequence: Int64?
    var part: Int?
    var parts: Int?
    /// The same for all files of one export; empty: it has no parts.
    var export = ""
}

extension String {
    /// In small letters, runs of digits padded, so that `stock10` sorts after `stock9`.
    var naturalOrder: String {
        var padded: [UInt8] = []
        var digits: [UInt8] = []
        func flush() {
            if digits.isEmpty { return }
            padded.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: max(0, 20 - digits.count)))
            padded.append(contentsOf: digits)
            digits.removeAll(keepingCapacity: true)
        }
        for byte in lowercased().utf8 {
            if (0x30...0x39).contains(byte) {
                digits.append(byte)
            } else {
                flush()
                padded.append(byte)
            }
        }
        flush()
        return String(decoding: padded, as: UTF8.self)
    }

    /// By its bytes, whatever they spell.
    func precedesInBytes(_ other: String) -> Bool {
        var (one, other) = (self, other)
        return one.withUTF8 { one in
            other.withUTF8 { other in
                let shared = min(one.count, other.count)
                guard shared > 0, let a = one.baseAddress, let b = other.baseAddress else {
                    return one.count < other.count
                }
                let order = memcmp(a, b, shared)
                return order == 0 ? one.count < other.count : order < 0
            }
        }
    }
}
