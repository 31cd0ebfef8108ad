/// HTML in the making: what stands in the program's text is markup, what is put into it is text and cannot become any.
struct Markup: ExpressibleByStringInterpolation {
    var html: String

    init(stringLiteral value: String) { html = value }

    init(stringInterpolation: StringInterpolation) { html = stringInterpolation.html }

    struct StringInterpolation: StringInterpolationProtocol {
        var html = ""

        init(literalCapacity: Int, interpolationCount: Int) { html.reserveCapacity(literalCapacity * 2) }

        mutating func appendLiteral(_ literal: String) { html += literal }
        mutating func appendInterpolation(_ markup: Markup) { html += markup.html }
        mutating func appendInterpolation(_ parts: [Markup]) { for part in parts { html += part.html } }
        mutating func appendInterpolation(_ number: some BinaryInteger) { html += "\(number)" }
        mutating func appendInterpolation(_ text: String) { html += Markup.escaped(text, longest: Markup.longest) }
        /// What somebody is to type is never cut.
        mutating func appendInterpolation(whole text: String) { html += Markup.escaped(text, longest: .max) }
    }

    /// A longer text ends with an ellipsis: a page stays small whatever an export holds.
    private static let longest = 80

    private static func escaped(_ text: String, longest: Int) -> String {
        var result = ""
        var count = 0
        for scalar in text.unicodeScalars {
            count += 1
            if count > longest { return result + "…" }
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(isTreacherous(scalar) ? "\u{FFFD}" : scalar)
            }
        }
        return result
    }

    /// Those, and marks that nobody sees.
    private static func isTreacherous(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isTreacherous || [0x200E, 0x200F, 0xFEFF].contains(scalar.value)
    }
}

extension Unicode.Scalar {
    /// Control characters, and those that turn the direction of the text around them.
    package var isTreacherous: Bool {
        switch value {
        case 0x00..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
