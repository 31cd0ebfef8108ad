import Inventory
import SQLite

/// The SQL functions of mappings, beyond SQLite's own.
enum MappingFunctions {
    /// `ambiguous` is set by `local_time` when it met the repeated hour.
    final class Notes {
        var timeQuality = TimeQuality.exact
    }

    static func register(
        on connection: Connection, zone: TimeZoneRules, lookups: [String: [String: String]], notes: Notes
    ) throws {
        try registerNumbers(connection)
        try registerTexts(connection, lookups: lookups)
        try connection.register("local_time", argumentCount: 2, deterministic: false) { call in
            guard let text = call.text(0), let pattern = call.text(1) else { return call.resultNull() }
            guard let civil = TimePattern.read(text, pattern: pattern) else {
                return call.result(error: "time|\"\(text)\" does not fit \(pattern)")
            }
            switch zone.resolve(civil) {
            case .gap: call.result(error: "time|\(text) does not exist: clocks go forward there")
            case .exact(let moment):
                notes.timeQuality = .resolved
                call.result(integer: moment.milliseconds)
            case .ambiguous(let moment):
                notes.timeQuality = .ambiguous
                call.result(integer: moment.milliseconds)
            }
        }
        try connection.register("utc_time", argumentCount: 2, deterministic: false) { call in
            guard let text = call.text(0), let pattern = call.text(1) else { return call.resultNull() }
            guard let moment = TimePattern.read(text, pattern: pattern) else {
                return call.result(error: "time|\"\(text)\" does not fit \(pattern)")
            }
            call.result(integer: moment.milliseconds)
        }
    }

    private static func registerNumbers(_ connection: Connection) throws {
        try connection.register("decimal", argumentCount: -1, deterministic: true) { call in
            guard call.count >= 1, let text = call.text(0) else { return call.resultNull() }
            answer(call) { () throws(InventoryError) in
                try DecimalText.canonical(text, mark: call.count > 1 ? call.text(1)?.first ?? "." : ".")
            }
        }
        try arithmetic(connection, "decimal_add") { (a, b) throws(InventoryError) in try a.adding(b) }
        try arithmetic(connection, "decimal_sub") { (a, b) throws(InventoryError) in try a.subtracting(b) }
        try arithmetic(connection, "decimal_mul") { (a, b) throws(InventoryError) in try a.multiplied(by: b) }
        try connection.register("decimal_neg", argumentCount: 1, deterministic: true) { call in
            guard let text = call.text(0) else { return call.resultNull() }
            answer(call) { () throws(InventoryError) in try Quantity(text).negated.description }
        }
    }

    private static func arithmetic(
        _ connection: Connection, _ name: String,
        _ operation: @escaping (Quantity, Quantity) throws(InventoryError) -> Quantity
    ) throws {
        try connection.register(name, argumentCount: 2, deterministic: true) { call in
            guard let a = call.text(0), let b = call.text(1) else { return call.resultNull() }
            answer(call) { () throws(InventoryError) in try operation(Quantity(a), Quantity(b)).description }
        }
    }

    private static func registerTexts(_ connection: Connection, lookups: [String: [String: String]]) throws {
        try connection.register("lookup", argumentCount: -1, deterministic: true) { call in
            guard call.count >= 2, let name = call.text(0), let key = call.text(1) else { return call.resultNull() }
            guard let table = lookups[name] else { return call.result(error: "lookup|no lookup table \"\(name)\"") }
            if let value = table[key] { return call.result(text: value) }
            guard call.count > 2, let fallback = call.text(2) else {
                return call.result(error: "lookup|\"\(key)\" is not in lookup table \"\(name)\"")
            }
            call.result(text: fallback)
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

    private static func answer(_ call: FunctionContext, _ body: () throws(InventoryError) -> String) {
        do throws(InventoryError) { call.result(text: try body()) } catch {
            call.result(error: "\(error.code)|\(error.message)")
        }
    }
}

/// Reads a time by a pattern of `yyyy MM dd HH mm ss SSS`; other characters stand for themselves.
enum TimePattern {
    static func read(_ text: String, pattern: String) -> Timestamp? {
        let input = Array(text.utf8)
        let form = Array(pattern.utf8)
        guard input.count == form.count else { return nil }
        var parts: [UInt8: Int] = [:]
        for (byte, mark) in zip(input, form) {
            if "yMdHmsS".utf8.contains(mark) {
                guard (0x30...0x39).contains(byte) else { return nil }
                parts[mark] = (parts[mark] ?? 0) * 10 + Int(byte - 0x30)
            } else if byte != mark {
                return nil
            }
        }
        func part(_ mark: Character, _ fallback: Int) -> Int { mark.asciiValue.flatMap { parts[$0] } ?? fallback }
        let (year, month, day) = (part("y", 1970), part("M", 1), part("d", 1))
        let (hour, minute, second) = (part("H", 0), part("m", 0), part("s", 0))
        guard (1...12).contains(month), day >= 1, hour < 24, minute < 60, second < 60 else { return nil }
        let moment = Timestamp(
            year: year, month: month, day: day, hour: hour, minute: minute, second: second, millisecond: part("S", 0))
        return moment.civil.day == day && moment.civil.month == month ? moment : nil
    }
}
