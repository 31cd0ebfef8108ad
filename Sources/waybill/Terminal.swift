import Agent
import ArgumentParser
import Glibc

/// Colour on a terminal, never as the only sign.
struct Style {
    let isColoured: Bool

    func good(_ text: String) -> String { painted(text, "32") }
    func bad(_ text: String) -> String { painted(text, "1;31") }
    func warning(_ text: String) -> String { painted(text, "33") }
    func heading(_ text: String) -> String { painted(text, "1") }

    private func painted(_ text: String, _ code: String) -> String {
        isColoured && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}

/// Text of the WMS, of a file name or of a broker, without what a terminal would obey.
func visible(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var shown = ""
    for scalar in text.unicodeScalars { shown.unicodeScalars.append(isControl(scalar) ? "\u{FFFD}" : scalar) }
    return shown
}

private func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar != "\t" && scalar.isTreacherous }

struct StyleOptions: ParsableArguments {
    @Flag(help: "No colours, as into a pipe or with NO_COLOR set.")
    var noColor = false

    var style: Style {
        let isAsked = !noColor && (environment("NO_COLOR") ?? "").isEmpty && environment("TERM") != "dumb"
        return Style(isColoured: isAsked && isatty(STDOUT_FILENO) == 1)
    }
}

/// How far a work is, on stderr: a bar on a terminal, else a line each 10 s.
struct ProgressReport {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var nextLine = Clocks.monotonic() + 10_000
    private var hasBar = false
    private static let width = 30

    mutating func show(_ done: Int64, of total: Int64?) {
        let words = total.map { "\(done) of \($0)" } ?? "\(done)"
        if isTerminal {
            hasBar = true
            writeText("\r\(bar(done, total))\(words) sent ", to: STDERR_FILENO)
        } else if Clocks.monotonic() >= nextLine {
            nextLine = Clocks.monotonic() + 10_000
            printError("\(words) sent")
        }
    }

    /// What comes next begins on a line of its own.
    mutating func end() {
        if hasBar { writeText("\n", to: STDERR_FILENO) }
        hasBar = false
    }

    private func bar(_ done: Int64, _ total: Int64?) -> String {
        guard let total, total > 0 else { return "" }
        let filled = Int(min(done, total) * Int64(Self.width) / total)
        return "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: Self.width - filled) + "] "
    }
}
