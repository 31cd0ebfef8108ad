extension Timestamp {
    /// Reads RFC 3339: `2026-11-23T10:14:05.25+01:00`. `T` may be a space, digits past milliseconds are cut off, the
    /// leap second 23:59:60 UTC is the next midnight. Nil for all else, a missing offset too.
    package init?(rfc3339 text: String) {
        var reader = Reader(rest: Array(text.utf8)[...])
        guard let year = reader.digits(4), reader.take("-"), let month = reader.digits(2), reader.take("-"),
            let day = reader.digits(2), reader.take("T") || reader.take("t") || reader.take(" "),
            let hour = reader.digits(2), reader.take(":"), let minute = reader.digits(2), reader.take(":"),
            let second = reader.digits(2), let millisecond = reader.fraction(), let offset = reader.offset(),
            reader.rest.isEmpty
        else { return nil }
        let isLeap = second == 60
        guard
            let local = Timestamp.civil(
                year: year, month: month, day: day, hour: hour, minute: minute, second: isLeap ? 59 : second,
                millisecond: isLeap ? 0 : millisecond)
        else { return nil }
        milliseconds = local.milliseconds - Int64(offset) * 60_000
        guard self >= .first, self <= .last else { return nil }
        guard isLeap else { return }
        guard civil.hour == 23, civil.minute == 59, self.milliseconds + 1_000 <= Timestamp.last.milliseconds else {
            return nil
        }
        milliseconds += 1_000
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func take(_ mark: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: mark) else { return false }
            rest.removeFirst()
            return true
        }

        mutating func digits(_ count: Int) -> Int? {
            let taken = rest.prefix(count)
            guard taken.count == count, taken.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            rest = rest.dropFirst(count)
            return taken.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }

        /// Milliseconds; 0 where there is no fraction, nil where a point has no digits.
        mutating func fraction() -> Int? {
            guard take(".") else { return 0 }
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty else { return nil }
            rest = rest.dropFirst(digits.count)
            let three = Array(digits.prefix(3)) + Array(repeating: 0x30, count: max(0, 3 - digits.count))
            return three.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }

        /// Minutes east of UTC.
        mutating func offset() -> Int? {
            if take("Z") || take("z") { return 0 }
            let sign = take("+") ? 1 : take("-") ? -1 : 0
            guard sign != 0, let hours = digits(2), hours < 24, take(":"), let minutes = digits(2), minutes < 60 else {
                return nil
            }
            return sign * (hours * 60 + minutes)
        }
    }
}
