import CLinux
import Glibc
import Inventory

// A reader of TZif files (RFC 8536), since the product's Foundation answers nothing for named zones. It needs only the
// transitions of the 64-bit block and, after the last of them, the POSIX rule of the footer.

/// What a naive local time means in a zone.
enum LocalTime: Equatable {
    case exact(Timestamp)
    /// The repeated hour: the earlier of the two.
    case ambiguous(Timestamp)
    /// The skipped hour.
    case gap
}

package enum TimeZones {
    /// Why a name cannot be used; nil when it can.
    package static func problem(with name: String) -> String? {
        do {
            _ = try TimeZoneRules(name: name)
            return nil
        } catch { return "\(error)" }
    }
}

/// Resolves one local time after another: records of one moment mostly lie in the same quarter of an hour, and within
/// one that no transition touches the offset is the same throughout.
final class LocalTimeReader {
    private let rules: TimeZoneRules
    private var quarter: Int64?
    private var offset: Int64 = 0
    private static let quarterMilliseconds: Int64 = 900_000

    init(_ rules: TimeZoneRules) { self.rules = rules }

    /// `civil` taken as if it were UTC.
    func resolve(_ civil: Timestamp) -> LocalTime {
        let index = civil.milliseconds.quotientAndRemainder(dividingBy: Self.quarterMilliseconds).quotient
        if index == quarter { return .exact(Timestamp(milliseconds: civil.milliseconds - offset)) }
        let found = rules.resolve(civil)
        guard case .exact(let moment) = found, civil.milliseconds >= 0 else { return found }
        let distance = civil.milliseconds - moment.milliseconds
        let start = index * Self.quarterMilliseconds
        let isSteady = [start, start + Self.quarterMilliseconds - 1].allSatisfy { edge in
            rules.resolve(Timestamp(milliseconds: edge)) == .exact(Timestamp(milliseconds: edge - distance))
        }
        if isSteady {
            quarter = index
            offset = distance
        }
        return found
    }
}

struct TimeZoneRules: Sendable {
    private var transitions: [(at: Int64, offset: Int64)] = []
    private var firstOffset: Int64 = 0
    private var footer: PosixZone?

    /// Throws for a zone that this machine does not know.
    init(name: String) throws {
        let isName = !name.isEmpty && !name.hasPrefix("/") && !name.contains("..")
        guard isName, let bytes = Self.file("/usr/share/zoneinfo/" + name) else {
            throw IngestError(
                "time zone \"\(name)\" is not known", hint: "use a name such as Europe/Berlin; is tzdata installed?")
        }
        try read(bytes, name: name)
    }

    /// `civil` taken as if it were UTC.
    func resolve(_ civil: Timestamp) -> LocalTime {
        let local = civil.milliseconds / 1000
        let offsets = Set([offset(atUTC: local - 86_400), offset(atUTC: local + 86_400), offset(atUTC: local)])
        let matches = offsets.filter { offset(atUTC: local - $0) == $0 }.map { civil.milliseconds - $0 * 1000 }.sorted()
        guard let earliest = matches.first else { return .gap }
        let moment = Timestamp(milliseconds: earliest)
        return matches.count > 1 ? .ambiguous(moment) : .exact(moment)
    }

    func offset(atUTC second: Int64) -> Int64 {
        guard let last = transitions.last else { return footer?.offset(atUTC: second) ?? firstOffset }
        if second >= last.at { return footer?.offset(atUTC: second) ?? last.offset }
        var low = 0
        var high = transitions.count
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle].at <= second { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? firstOffset : transitions[low - 1].offset
    }

    private mutating func read(_ bytes: [UInt8], name: String) throws {
        func number(_ at: Int, _ size: Int) -> Int64 {
            var value: Int64 = bytes[at] >= 0x80 ? -1 : 0
            for index in at..<at + size { value = value << 8 | Int64(bytes[index]) }
            return value
        }
        func counts(_ at: Int) -> [Int] { (0..<6).map { Int(number(at + 20 + $0 * 4, 4)) } }
        guard bytes.count > 44, bytes.starts(with: Array("TZif".utf8)), bytes[4] >= UInt8(ascii: "2") else {
            throw IngestError("the file of time zone \"\(name)\" cannot be read", hint: "reinstall tzdata")
        }
        // isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt
        let first = counts(0)
        let start = 44 + first[3] * 5 + first[4] * 6 + first[5] + first[2] * 8 + first[1] + first[0]
        let second = counts(start)
        let times = start + 44
        let indices = times + second[3] * 8
        let types = indices + second[3]
        let end = types + second[4] * 6 + second[5] + second[2] * 12 + second[1] + second[0]
        guard end < bytes.count else {
            throw IngestError("the file of time zone \"\(name)\" is cut short", hint: "reinstall tzdata")
        }
        firstOffset = number(types, 4)
        for index in 0..<second[3] {
            let type = Int(bytes[indices + index])
            transitions.append((number(times + index * 8, 8), number(types + type * 6, 4)))
        }
        footer = PosixZone(String(decoding: bytes[(end + 1)...].prefix { $0 != 0x0A }, as: UTF8.self))
    }

    private static func file(_ path: String) -> [UInt8]? {
        let descriptor = waybill_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 256 * 1024)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return count > 0 ? Array(bytes[..<count]) : nil
    }
}

/// The footer's rule, such as `CET-1CEST,M3.5.0,M10.5.0/3`.
struct PosixZone: Sendable {
    private var standard: Int64
    private var summer: (offset: Int64, from: Rule, to: Rule)?

    private struct Rule: Sendable {
        var month: Int
        var week: Int
        var day: Int
        var second: Int64
    }

    /// Nil for an empty or unusual rule (days of the year are not read).
    init?(_ text: String) {
        var rest = Substring(text)
        guard Self.name(&rest), let offset = Self.time(&rest) else { return nil }
        standard = -offset
        guard !rest.isEmpty else { return }
        guard Self.name(&rest) else { return nil }
        let summerOffset = rest.hasPrefix(",") ? standard + 3_600 : Self.time(&rest).map { -$0 }
        guard let summerOffset, let from = Self.rule(&rest), let to = Self.rule(&rest) else { return nil }
        summer = (summerOffset, from, to)
    }

    func offset(atUTC second: Int64) -> Int64 {
        guard let summer else { return standard }
        let year = Timestamp(milliseconds: (second + standard) * 1000).civil.year
        let begin = Self.moment(summer.from, year: year) - standard
        let end = Self.moment(summer.to, year: year) - summer.offset
        let isSummer = begin < end ? (begin..<end).contains(second) : !(end..<begin).contains(second)
        return isSummer ? summer.offset : standard
    }

    private static func moment(_ rule: Rule, year: Int) -> Int64 {
        let first = Timestamp(year: year, month: rule.month, day: 1).milliseconds / 86_400_000
        let next = Timestamp(year: year, month: rule.month + 1, day: 1).milliseconds / 86_400_000
        let weekday = Int64((first + 4) % 7 + 7) % 7
        var day = first + (Int64(rule.day) - weekday + 7) % 7 + Int64(rule.week - 1) * 7
        while day >= next { day -= 7 }
        return day * 86_400 + rule.second
    }

    private static func name(_ rest: inout Substring) -> Bool {
        let before = rest.count
        if rest.hasPrefix("<") {
            guard let end = rest.firstIndex(of: ">") else { return false }
            rest = rest[rest.index(after: end)...]
        } else {
            rest = rest.drop { $0.isLetter }
        }
        return rest.count < before
    }

    private static func time(_ rest: inout Substring) -> Int64? {
        let text = rest.prefix { $0.isNumber || $0 == ":" || $0 == "-" || $0 == "+" }
        rest = rest.dropFirst(text.count)
        let isNegative = text.hasPrefix("-")
        let parts = text.drop { $0 == "-" || $0 == "+" }.split(separator: ":").map { Int64($0) ?? 0 }
        guard let hours = parts.first else { return nil }
        let seconds = hours * 3_600 + (parts.count > 1 ? parts[1] * 60 : 0) + (parts.count > 2 ? parts[2] : 0)
        return isNegative ? -seconds : seconds
    }

    private static func rule(_ rest: inout Substring) -> Rule? {
        guard rest.hasPrefix(",M") else { return nil }
        rest = rest.dropFirst(2)
        let text = rest.prefix { $0.isNumber || $0 == "." }
        rest = rest.dropFirst(text.count)
        let parts = text.split(separator: ".").compactMap { Int($0) }
        guard parts.count == 3 else { return nil }
        var second: Int64 = 7_200
        if rest.hasPrefix("/") {
            rest = rest.dropFirst()
            guard let given = time(&rest) else { return nil }
            second = given
        }
        return Rule(month: parts[0], week: parts[1], day: parts[2], second: second)
    }
}
