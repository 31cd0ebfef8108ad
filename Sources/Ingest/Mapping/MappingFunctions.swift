import Inventory
import SQLite

/// The SQL functions of mappings, beyond SQLite's own.
enum MappingFunctions {
    /// `ambiguous` is set by `local_time` when it met the repeated hour.
    final class Notes {
        var timeQuality = TimeQuality.exact
    }

    static func register(
        on connection: Connection, zone: LocalTimeReader, lookups: LookupTables, notes: Notes
    ) throws {
        try registerNumbers(connection)
        try registerTexts(connection, lookups: lookups)
        try registerTimes(connection, zone: zone, notes: notes)
    }

    private static func registerTimes(_ connection: Connection, zone: LocalTimeReader, notes: Notes) throws {
        try connection.register("local_time", argumentCount: 2, deterministic: false) { call in
            guard let civil = civil(call) else { return }
            switch zone.resolve(civil.moment) {
            case .gap:
                call.result(error: "time|\(call.text(0) ?? "") does not exist: clocks go forward there")
            case .exact(let moment):
                notes.timeQuality = civil.hasTime ? .resolved : .dateOnly
                call.result(integer: moment.milliseconds)
            case .ambiguous(let moment):
                notes.timeQuality = .ambiguous
                call.result(integer: moment.milliseconds)
            }
        }
        try connection.register("utc_time", argumentCount: 2, deterministic: false) { call in
            guard let civil = civil(call) else { return }
            notes.timeQuality = civil.hasTime ? .exact : .dateOnly
            call.result(integer: civil.moment.milliseconds)
        }
    }

    /// Nil when the call is answered: NULL for NULL, an error for a text that does not fit.
    private static func civil(_ call: FunctionContext) -> TimePattern.Reading? {
        if call.isNull(0) || call.isNull(1) {
            call.resultNull()
            return nil
        }
        let reading = call.withText(0) { text in call.withText(1) { TimePattern.read(text, pattern: $0) } }
        if reading == nil {
            call.result(error: "time|\"\(call.text(0) ?? "")\" does not fit \(call.text(1) ?? "")")
        }
        return reading
    }

    private static func registerNumbers(_ connection: Connection) throws {
        try connection.register("decimal", argumentCount: -1, deterministic: true) { call in
            guard (1...3).contains(call.count) else { return call.result(error: "decimal(text[, mark[, places]])") }
            if call.isNull(0) { return call.resultNull() }
            let mark = call.count > 1 ? call.withText(1) { $0.count == 1 ? $0[0] : 0 } : UInt8(ascii: ".")
            let places = call.count > 2 ? call.integer(2) : nil
            guard mark == UInt8(ascii: ".") || mark == UInt8(ascii: ","), (0...6).contains(places ?? 0) else {
                return call.result(error: "decimal wants '.' or ',' as its mark, and 0 to 6 places")
            }
            answer(call) { () throws(InventoryError) in
                try call.withText(0) { text throws(InventoryError) in
                    try DecimalText.quantity(text, mark: mark, places: places.map { Int($0) })
                }
            }
        }
        try arithmetic(connection, "decimal_add") { (a, b) throws(InventoryError) in try a.adding(b) }
        try arithmetic(connection, "decimal_sub") { (a, b) throws(InventoryError) in try a.subtracting(b) }
        try arithmetic(connection, "decimal_mul") { (a, b) throws(InventoryError) in try a.multiplied(by: b) }
        try connection.register("decimal_neg", argumentCount: 1, deterministic: true) { call in
            guard let text = call.text(0) else { return call.resultNull() }
            answer(call) { () throws(InventoryError) in try Quantity(text).negated }
        }
    }

    private static func arithmetic(
        _ connection: Connection, _ name: String,
        _ operation: @escaping (Quantity, Quantity) throws(InventoryError) -> Quantity
    ) throws {
        try connection.register(name, argumentCount: 2, deterministic: true) { call in
            guard let a = call.text(0), let b = call.text(1) else { return call.resultNull() }
            answer(call) { () throws(InventoryError) in try operation(Quantity(a), Quantity(b)) }
        }
    }

    private static func registerTexts(_ connection: Connection, lookups: LookupTables) throws {
        try connection.register("lookup", argumentCount: -1, deterministic: false) { call in
            guard call.count >= 2, let name = call.text(0), let key = call.text(1) else { return call.resultNull() }
            guard let table = lookups.tables[name] else {
                return call.result(error: "lookup|no lookup table \"\(name)\"")
            }
            if let value = table[key] { return call.result(text: value) }
            guard call.count > 2, let fallback = call.text(2) else {
                return call.result(error: "lookup|\"\(key)\" is not in lookup table \"\(name)\"")
            }
            call.result(text: fallback)
        }
        let patterns = RegexCache()
        try connection.register("regex_capture", argumentCount: -1, deterministic: true) { call in
            guard (2...3).contains(call.count) else {
                return call.result(error: "regex_capture(text, pattern[, group])")
            }
            guard let text = call.text(0), let pattern = call.text(1) else { return call.resultNull() }
            let group = call.count == 3 ? Int(call.integer(2)) : 1
            guard let regex = patterns[pattern] else {
                return call.result(error: "regex|\"\(pattern)\" is no POSIX extended regular expression")
            }
            if let found = regex.capture(group, in: text) { call.result(text: found) } else { call.resultNull() }
        }
        try connection.register("strip_zeros", argumentCount: 1, deterministic: true) { call in
            guard let text = call.text(0) else { return call.resultNull() }
            call.result(text: String(text.drop { $0 == "0" }))
        }
        try connection.register("gtin", argumentCount: 1, deterministic: true) { call in
            guard let text = call.text(0) else { return call.resultNull() }
            guard let gtin = Self.gtin(text) else { return call.result(error: "gtin|\"\(text)\" is no GTIN") }
            call.result(text: gtin)
        }
    }

    /// GTIN-14 with its check digit verified (GS1 General Specifications, section 7.9); nil for anything else.
    static func gtin(_ text: String) -> String? {
        let digits = text.utf8.map { Int($0) - 0x30 }
        guard [8, 12, 13, 14].contains(digits.count), digits.allSatisfy((0...9).contains) else { return nil }
        let sum = digits.reversed().enumerated().reduce(0) { $0 + $1.element * ($1.offset % 2 == 0 ? 1 : 3) }
        return sum % 10 == 0 ? String(repeating: "0", count: 14 - digits.count) + text : nil
    }

    private static func answer(_ call: FunctionContext, _ body: () throws(InventoryError) -> Quantity) {
        do throws(InventoryError) { try body().withText { call.result(text: $0) } } catch {
            call.result(error: "\(error.code)|\(error.message)")
        }
    }
}

/// Reads a time by a pattern of `yyyy MM dd HH mm ss SSS`; other characters stand for themselves.
enum TimePattern {
    struct Reading {
        /// As if it were UTC.
        var moment: Timestamp
        var hasTime: Bool
    }

    /// Nil unless the text has the pattern's form and is a real date and time.
    static func read(_ text: UnsafeRawBufferPointer, pattern: UnsafeRawBufferPointer) -> Reading? {
        guard text.count == pattern.count else { return nil }
        var year: Int?, month = 0, day = 0, hour: Int?, minute = 0, second = 0, fraction = 0
        var hasMonth = false, hasDay = false
        var yearDigits = 0, century = 1
        for index in 0..<pattern.count {
            let byte = text[index]
            let mark = pattern[index]
            let digit = Int(byte) - 0x30
            let isDigit = (0...9).contains(digit)
            switch mark {
            case UInt8(ascii: "y") where isDigit:
                year = (year ?? 0) * 10 + digit
                yearDigits += 1
            case UInt8(ascii: "C") where isCentury(at: index, of: pattern):
                if !isDigit { return nil }
                century = digit
            case UInt8(ascii: "M") where isDigit:
                month = month * 10 + digit
                hasMonth = true
            case UInt8(ascii: "d") where isDigit:
                day = day * 10 + digit
                hasDay = true
            case UInt8(ascii: "H") where isDigit: hour = (hour ?? 0) * 10 + digit
            case UInt8(ascii: "m") where isDigit: minute = minute * 10 + digit
            case UInt8(ascii: "s") where isDigit: second = second * 10 + digit
            case UInt8(ascii: "S") where isDigit: fraction = fraction * 10 + digit
            default: if byte != mark || "yMdHmsS".utf8.contains(mark) { return nil }
            }
        }
        if yearDigits == 2 { year = year.map { 1900 + 100 * century + $0 } }
        let moment = Timestamp.civil(
            year: year ?? 1970, month: hasMonth ? month : 1, day: hasDay ? day : 1, hour: hour ?? 0, minute: minute,
            second: second, millisecond: fraction)
        return moment.map { Reading(moment: $0, hasTime: hour != nil) }
    }

    /// Before a year of two digits; anywhere else it stands for itself.
    private static func isCentury(at index: Int, of pattern: UnsafeRawBufferPointer) -> Bool {
        let next = pattern[(index + 1)...].prefix(3)
        return next.starts(with: "yy".utf8) && !next.elementsEqual("yyy".utf8)
    }
}
