import Glibc

/// A POSIX extended regular expression (IEEE 1003.1, section 9.4), as the C library has it.
final class PosixRegex {
    private var compiled = regex_t()

    /// Nil for a pattern that does not compile.
    init?(_ pattern: String, ignoresCase: Bool = false) {
        guard regcomp(&compiled, pattern, REG_EXTENDED | (ignoresCase ? REG_ICASE : 0)) == 0 else { return nil }
    }

    deinit { regfree(&compiled) }

    /// The text of a group, of the whole match for 0; nil without a match, and for a group that took no part in it.
    func capture(_ group: Int, in text: String) -> String? {
        guard (0...Int(compiled.re_nsub)).contains(group) else { return nil }
        var found = [regmatch_t](repeating: regmatch_t(), count: group + 1)
        guard regexec(&compiled, text, found.count, &found, 0) == 0, found[group].rm_so >= 0 else { return nil }
        return Self.text(found[group], of: Array(text.utf8))
    }

    /// Where the whole match and its groups lie in the text's UTF-8, `count` in all; nil without a match.
    func captures(in text: String, count: Int) -> [Range<Int>]? {
        var found = [regmatch_t](repeating: regmatch_t(), count: count)
        guard regexec(&compiled, text, count, &found, 0) == 0 else { return nil }
        return found.map { $0.rm_so >= 0 ? Int($0.rm_so)..<Int($0.rm_eo) : 0..<0 }
    }

    private static func text(_ match: regmatch_t, of utf8: [UInt8]) -> String {
        String(decoding: utf8[Int(match.rm_so)..<Int(match.rm_eo)], as: UTF8.self)
    }
}

/// Compiled once a pattern; a mapping has few.
final class RegexCache {
    private var known: [String: PosixRegex] = [:]
    private static let most = 256

    subscript(pattern: String) -> PosixRegex? {
        if let regex = known[pattern] { return regex }
        guard let regex = PosixRegex(pattern) else { return nil }
        if known.count >= Self.most { known.removeAll() }
        known[pattern] = regex
        return regex
    }
}
