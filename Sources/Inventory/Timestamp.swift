/// A moment in UTC, in milliseconds since 1970-01-01T00:00:00Z.
package struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// What RFC 3339 can write: the years 0000 to 9999.
    static let first = Timestamp(milliseconds: -62_167_219_200_000)
    static let last = Timestamp(milliseconds: 253_402_300_799_999)

    /// A proleptic Gregorian date and time in UTC; parts out of range carry over. For arithmetic, not for input.
    package init(
        year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, millisecond: Int = 0
    ) {
        // Howard Hinnant's days_from_civil: years begin in March, so that the leap day is the last.
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        milliseconds = Int64(((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + Int64(millisecond)
    }

    /// Nil unless it is a date of the years 0 to 9999 and a time from 00:00:00.000 to 23:59:59.999.
    package static func civil(
        year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, millisecond: Int = 0
    ) -> Timestamp? {
        guard (0...9999).contains(year), (1...12).contains(month), (1...days(in: month, of: year)).contains(day),
            (0..<24).contains(hour), (0..<60).contains(minute), (0..<60).contains(second),
            (0..<1000).contains(millisecond)
        else { return nil }
        return Timestamp(
            year: year, month: month, day: day, hour: hour, minute: minute, second: second, millisecond: millisecond)
    }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    package typealias Civil = (
        year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, millisecond: Int
    )

    package var civil: Civil {
        let total = Int(milliseconds)
        let dayLength = 86_400_000
        let remainder = total % dayLength
        let rest = remainder < 0 ? remainder + dayLength : remainder
        let shifted = (remainder < 0 ? total / dayLength - 1 : total / dayLength) + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, day, rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000)
    }

    /// RFC 3339 in UTC with milliseconds. What lies outside the years 0 to 9999 is written as the nearest moment
    /// within, so that the text always has its form.
    package var description: String { asciiText }

    package static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }
}

extension Timestamp: ASCIIText {
    static var longest: Int { 24 }

    func write(to out: UnsafeMutablePointer<UInt8>) -> Int {
        let (year, month, day, hour, minute, second, millisecond) = min(max(self, .first), .last).civil
        out.putDecimal(UInt64(year), width: 4, at: 0)
        out[4] = UInt8(ascii: "-")
        out.putDecimal(UInt64(month), width: 2, at: 5)
        out[7] = UInt8(ascii: "-")
        out.putDecimal(UInt64(day), width: 2, at: 8)
        out[10] = UInt8(ascii: "T")
        out.putDecimal(UInt64(hour), width: 2, at: 11)
        out[13] = UInt8(ascii: ":")
        out.putDecimal(UInt64(minute), width: 2, at: 14)
        out[16] = UInt8(ascii: ":")
        out.putDecimal(UInt64(second), width: 2, at: 17)
        out[19] = UInt8(ascii: ".")
        out.putDecimal(UInt64(millisecond), width: 3, at: 20)
        out[23] = UInt8(ascii: "Z")
        return 24
    }
}
