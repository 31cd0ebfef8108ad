/// Line and column, both from 1; columns count characters.
struct KeyPosition: Equatable {
    var line: Int
    var column: Int
}

/// Finds where keys and their values stand in a TOML text: the parser gives positions for syntax errors only. It expects
/// a text that the parser took.
///
/// Keys are named by their full path; a list of tables counts its tables: `source.1.event.0.type`.
struct KeyPositions {
    private var keys: [String: KeyPosition] = [:]
    private var values: [String: KeyPosition] = [:]

    init(_ text: String) {
        var scanner = Scanner(text)
        scanner.scan()
        keys = scanner.keys
        values = scanner.values
    }

    func key(_ path: String) -> KeyPosition? { keys[path] }

    /// Of the value's first character; for a text that is its quotation mark.
    func value(_ path: String) -> KeyPosition? { values[path] }
}

private struct Scanner {
    private let text: [Unicode.Scalar]
    private var at = 0
    private var line = 1
    private var column = 1
    private var table = ""
    /// How many tables each list has so far.
    private var counts: [String: Int] = [:]
    var keys: [String: KeyPosition] = [:]
    var values: [String: KeyPosition] = [:]

    init(_ text: String) { self.text = Array(text.unicodeScalars) }

    private var here: KeyPosition { KeyPosition(line: line, column: column) }
    private var next: Unicode.Scalar? { at < text.count ? text[at] : nil }

    private mutating func step() {
        guard at < text.count else { return }
        if text[at] == "\n" {
            line += 1
            column = 1
        } else {
            column += 1
        }
        at += 1
    }

    private mutating func step(_ count: Int) { for _ in 0..<count { step() } }

    private func sees(_ word: String) -> Bool { text[at...].starts(with: word.unicodeScalars) }

    private mutating func skip(while condition: (Unicode.Scalar) -> Bool) {
        while let scalar = next, condition(scalar) { step() }
    }

    /// Spaces, line ends and comments.
    private mutating func skipBlank() {
        while let scalar = next {
            if scalar == "#" {
                skip { $0 != "\n" }
            } else if " \t\r\n".unicodeScalars.contains(scalar) {
                step()
            } else {
                return
            }
        }
    }

    mutating func scan() {
        while true {
            skipBlank()
            guard let scalar = next else { return }
            if scalar == "[" { header() } else { pair(in: table) }
        }
    }

    private mutating func header() {
        let place = here
        let isList = sees("[[")
        step(isList ? 2 : 1)
        let names = path()
        step(isList ? 2 : 1)
        var full = ""
        for (index, name) in names.enumerated() {
            full = full.isEmpty ? name : "\(full).\(name)"
            if isList, index == names.count - 1 { counts[full, default: -1] += 1 }
            if let count = counts[full] { full += ".\(count)" }
        }
        table = full
        keys[full] = place
    }

    private mutating func pair(in prefix: String) {
        let place = here
        let names = path()
        skip { $0 == " " || $0 == "\t" }
        guard !names.isEmpty, next == "=" else { return skip { $0 != "\n" } }
        step()
        skip { $0 == " " || $0 == "\t" }
        var full = prefix
        for name in names {
            full = full.isEmpty ? name : "\(full).\(name)"
            if keys[full] == nil { keys[full] = place }
        }
        value(full)
    }

    /// Dotted, bare or quoted.
    private mutating func path() -> [String] {
        var names: [String] = []
        while true {
            skip { $0 == " " || $0 == "\t" }
            var name = ""
            if let quote = next, quote == "\"" || quote == "'" {
                step()
                while let scalar = next, scalar != quote, scalar != "\n" {
                    name.unicodeScalars.append(scalar)
                    step()
                }
                step()
            } else {
                while let scalar = next,
                    scalar.properties.isAlphabetic || "0123456789_-".unicodeScalars.contains(scalar)
                {
                    name.unicodeScalars.append(scalar)
                    step()
                }
            }
            if name.isEmpty { return names }
            names.append(name)
            skip { $0 == " " || $0 == "\t" }
            guard next == "." else { return names }
            step()
        }
    }

    private mutating func value(_ path: String) {
        values[path] = here
        guard let scalar = next else { return }
        switch scalar {
        case "\"", "'": string(scalar)
        case "[":
            step()
            var index = 0
            while true {
                skipBlank()
                guard let element = next, element != "]" else { return step() }
                if element == "," { step() } else { value("\(path).\(index)"); index += 1 }
            }
        case "{":
            step()
            while true {
                skipBlank()
                guard let element = next, element != "}" else { return step() }
                if element == "," { step() } else { pair(in: path) }
            }
        default: skip { !",]}#\n".unicodeScalars.contains($0) }
        }
    }

    private mutating func string(_ quote: Unicode.Scalar) {
        let mark = String(quote)
        let isLong = sees(mark + mark + mark)
        let end = isLong ? mark + mark + mark : mark
        step(isLong ? 3 : 1)
        while next != nil, !sees(end) {
            if next == "\\", quote == "\"" { step() }
            step()
        }
        step(isLong ? 3 : 1)
    }
}
