/// A file name with `*`, `?` and one date such as `{yyyyMMdd}`; the files that fit are read in the order of their names.
package struct FilePattern: Equatable {
    private enum Part: Equatable {
        case literal(UInt8)
        case any
        case anyOne
        case digit
    }

    private let parts: [Part]

    /// Nil for a plain name. Braces hold `y M d H m s` alone, one digit each.
    init?(_ text: String) {
        guard text.contains(where: { "*?{".contains($0) }) else { return nil }
        var parts: [Part] = []
        var isDate = false
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "{"): isDate = true
            case UInt8(ascii: "}"): isDate = false
            case _ where isDate: parts.append(.digit)
            case UInt8(ascii: "*"): parts.append(.any)
            case UInt8(ascii: "?"): parts.append(.anyOne)
            default: parts.append(.literal(byte))
            }
        }
        self.parts = parts
    }

    /// What is wrong with a path's pattern, for whoever wrote it; nil when nothing is.
    package static func problem(in path: String) -> String? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        if parts.dropLast().contains(where: { $0.contains { "*?{}".contains($0) } }) {
            return "only the file's name may hold *, ? or a date in braces, not its directory"
        }
        let name = parts.last ?? ""
        let opened = name.split(separator: "{", omittingEmptySubsequences: false).dropFirst()
        for part in opened {
            let inside = part.prefix { $0 != "}" }
            guard inside.count < part.count, !inside.isEmpty, inside.allSatisfy({ "yMdHms".contains($0) }) else {
                return "braces hold a date such as {yyyyMMdd}, of y, M, d, H, m and s"
            }
        }
        return name.count { $0 == "}" } == opened.count ? nil : "a brace is closed that was not opened"
    }

    func matches(_ name: String) -> Bool { Self.fits(Array(name.utf8)[...], parts[...]) }

    /// Greedy with one step back to the last `*`: linear for what names look like, quadratic at worst.
    private static func fits(_ name: ArraySlice<UInt8>, _ parts: ArraySlice<Part>) -> Bool {
        var (name, parts) = (name, parts)
        var star: (name: ArraySlice<UInt8>, parts: ArraySlice<Part>)?
        while true {
            if parts.first == .any {
                parts = parts.dropFirst()
                star = (name, parts)
            } else if let part = parts.first, let byte = name.first, accepts(part, byte) {
                name = name.dropFirst()
                parts = parts.dropFirst()
            } else if name.isEmpty, parts.isEmpty {
                return true
            } else if let last = star, !last.name.isEmpty {
                star = (last.name.dropFirst(), last.parts)
                (name, parts) = (last.name.dropFirst(), last.parts)
            } else {
                return false
            }
        }
    }

    private static func accepts(_ part: Part, _ byte: UInt8) -> Bool {
        switch part {
        case .literal(let wanted): byte == wanted
        case .digit: (0x30...0x39).contains(byte)
        case .anyOne: true
        case .any: false
        }
    }
}
