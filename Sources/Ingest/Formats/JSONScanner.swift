// A strict reader of one JSON text (RFC 8259) over bytes that are valid UTF-8. It reads everything, so that broken JSON
// is found wherever it stands, and notes where the wanted values are. Depth is bounded, so that recursion is.

struct JSONScanner {
    struct Fault: Error {
        var code = "json"
        var message: String
        var at: Int
    }

    /// Where the wanted values lie: in the text, or beyond its end in what is `added` to it.
    struct Scan {
        var fields: [Range<Int>]
        var added: [UInt8] = []
    }

    private let bytes: UnsafeRawBufferPointer
    private let paths: JSONPaths
    private var at = 0
    private var scan: Scan
    /// Names of the objects that are open, outermost first; those with escapes are in `plainNames`.
    private var names: [Name] = []
    private var plainNames: [UInt8] = []

    private struct Name {
        var range: Range<Int>
        var isPlain: Bool
    }

    /// Deeper nesting is refused.
    static let deepest = 64

    /// The text must be one object with nothing behind it.
    static func scan(_ bytes: UnsafeRawBufferPointer, _ paths: JSONPaths) throws(Fault) -> Scan {
        var scanner = JSONScanner(bytes, paths)
        guard scanner.peek() == UInt8(ascii: "{") else { throw scanner.fault("no object") }
        try scanner.value(at: 0, depth: 1)
        guard scanner.peek() == nil else { throw scanner.fault("more after the object") }
        return scanner.scan
    }

    private init(_ bytes: UnsafeRawBufferPointer, _ paths: JSONPaths) {
        self.bytes = bytes
        self.paths = paths
        scan = Scan(fields: [Range<Int>](repeating: Record.absent, count: paths.columns.count))
    }

    // MARK: values

    /// `node`: what is wanted of this value; nil: nothing.
    private mutating func value(at node: Int?, depth: Int) throws(Fault) {
        guard let first = peek() else { throw fault("the line ends within a value") }
        let column = node.flatMap { paths.nodes[$0].column }
        let start = at
        switch first {
        case UInt8(ascii: "\""):
            let text = try text()
            let meant = text.hasEscapes ? try add(unescaped: text.range, isWanted: column != nil) : text.range
            if let column { scan.fields[column] = meant }
            return
        case UInt8(ascii: "{"): try object(at: node, depth: depth)
        case UInt8(ascii: "["): try array(at: node, depth: depth)
        case UInt8(ascii: "t"): return try word("true", "1", column)
        case UInt8(ascii: "f"): return try word("false", "0", column)
        case UInt8(ascii: "n"): return try word("null", nil, column)
        default: try number()
        }
        if let column { scan.fields[column] = start..<at }
    }

    private mutating func object(at node: Int?, depth: Int) throws(Fault) {
        guard depth <= Self.deepest else { throw tooDeep }
        at += 1
        if take(UInt8(ascii: "}")) { return }
        let (first, plain) = (names.count, plainNames.count)
        repeat {
            guard peek() == UInt8(ascii: "\"") else { throw fault("a name is missing") }
            let name = try name()
            names.append(name)
            let next = node == nil ? nil : withBytes(name) { paths.next(node, $0) }
            guard take(UInt8(ascii: ":")) else { throw fault("a colon is missing") }
            try value(at: next, depth: depth + 1)
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw fault("a comma or a brace is missing") }
        try refuseTwins(from: first)
        names.removeLast(names.count - first)
        plainNames.removeLast(plainNames.count - plain)
    }

    private mutating func array(at node: Int?, depth: Int) throws(Fault) {
        guard depth <= Self.deepest else { throw tooDeep }
        at += 1
        if take(UInt8(ascii: "]")) { return }
        var index = 0
        repeat {
            try value(at: paths.next(node, index: index), depth: depth + 1)
            index += 1
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw fault("a comma or a bracket is missing") }
    }

    private mutating func word(_ word: StaticString, _ meaning: String?, _ column: Int?) throws(Fault) {
        let end = at + word.utf8CodeUnitCount
        let isThere = end <= bytes.count && word.withUTF8Buffer { bytes[at..<end].elementsEqual($0) }
        guard isThere else { throw fault("no value") }
        at = end
        guard let column, let meaning else { return }
        let start = bytes.count + scan.added.count
        scan.added.append(contentsOf: meaning.utf8)
        scan.fields[column] = start..<start + meaning.utf8.count
    }

    private mutating func number() throws(Fault) {
        if current == UInt8(ascii: "-") { at += 1 }
        let first = current
        let integerDigits = digits()
        guard integerDigits > 0 else { throw fault("no value") }
        guard first != UInt8(ascii: "0") || integerDigits == 1 else { throw fault("a number begins with a zero") }
        if current == UInt8(ascii: ".") {
            at += 1
            guard digits() > 0 else { throw fault("a number ends with its point") }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            at += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { at += 1 }
            guard digits() > 0 else { throw fault("a number ends within its exponent") }
        }
    }

    private mutating func digits() -> Int {
        let start = at
        while let byte = current, (0x30...0x39).contains(byte) { at += 1 }
        return at - start
    }

    // MARK: texts

    /// What stands between the quotes, escapes as they are.
    private mutating func text() throws(Fault) -> (range: Range<Int>, hasEscapes: Bool) {
        at += 1
        let start = at
        var hasEscapes = false
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                at += 1
                return (start..<at - 1, hasEscapes)
            }
            guard byte >= 0x20 else { throw fault("a control character in a text") }
            if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                at += 1
            }
            at += 1
        }
        at = bytes.count
        throw fault("the line ends within a text")
    }

    /// Also what nobody wants must be JSON.
    private mutating func add(unescaped range: Range<Int>, isWanted: Bool) throws(Fault) -> Range<Int> {
        let start = scan.added.count
        var unescaped: [UInt8] = []
        try unescape(range, to: &unescaped)
        if isWanted { scan.added.append(contentsOf: unescaped) }
        return bytes.count + start..<bytes.count + scan.added.count
    }

    private func unescape(_ range: Range<Int>, to text: inout [UInt8]) throws(Fault) {
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = bytes[index]
            index += 1
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            let mark = bytes[index]
            index += 1
            switch mark {
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(mark)
            case UInt8(ascii: "u"):
                let scalar = try scalar(&index, before: range.upperBound)
                text.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
            default: throw Fault(message: "no escape", at: index - 1)
            }
        }
    }

    /// The character of `\u0041`, or of two that are one beyond the first plane.
    private func scalar(_ index: inout Int, before end: Int) throws(Fault) -> Unicode.Scalar {
        let first = try unit(&index, before: end)
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard UTF16.isLeadSurrogate(first), index + 1 < end, bytes[index] == UInt8(ascii: "\\"),
            bytes[index + 1] == UInt8(ascii: "u")
        else { throw Fault(message: "half a surrogate pair", at: index - 1) }
        index += 2
        let second = try unit(&index, before: end)
        guard UTF16.isTrailSurrogate(second) else { throw Fault(message: "half a surrogate pair", at: index - 1) }
        return UTF16.decode(UTF16.EncodedScalar([first, second]))
    }

    private func unit(_ index: inout Int, before end: Int) throws(Fault) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard index < end, let digit = Character(Unicode.Scalar(bytes[index])).hexDigitValue else {
                throw Fault(message: "no escape", at: min(index, end))
            }
            unit = unit << 4 | UInt16(digit)
            index += 1
        }
        return unit
    }

    // MARK: names

    private mutating func name() throws(Fault) -> Name {
        let text = try text()
        guard text.hasEscapes else { return Name(range: text.range, isPlain: false) }
        let start = plainNames.count
        try unescape(text.range, to: &plainNames)
        return Name(range: start..<plainNames.count, isPlain: true)
    }

    private func withBytes<R>(_ name: Name, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        guard name.isPlain else { return body(UnsafeRawBufferPointer(rebasing: bytes[name.range])) }
        return plainNames[name.range].withUnsafeBytes(body)
    }

    /// Sorted, where there are many: a line of nothing but names must not cost the square of their number.
    private func refuseTwins(from first: Int) throws(Fault) {
        let own = names[first...]
        let sorted = own.count <= 16 ? [] : own.sorted { precedes($0, $1) }
        if zip(sorted, sorted.dropFirst()).contains(where: { isSame($0, $1) }) { throw twins }
        guard sorted.isEmpty else { return }
        for index in own.indices.dropFirst() where own[..<index].contains(where: { isSame($0, own[index]) }) {
            throw twins
        }
    }

    private func isSame(_ one: Name, _ other: Name) -> Bool {
        guard one.range.count == other.range.count else { return false }
        return withBytes(one) { a in withBytes(other) { b in a.elementsEqual(b) } }
    }

    private func precedes(_ one: Name, _ other: Name) -> Bool {
        withBytes(one) { a in withBytes(other) { b in a.lexicographicallyPrecedes(b) } }
    }

    // MARK: bytes

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

    private var current: UInt8? { at < bytes.count ? bytes[at] : nil }

    /// The next byte that is no space.
    private mutating func peek() -> UInt8? {
        while let byte = current, Self.isSpace(byte) { at += 1 }
        return current
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        at += 1
        return true
    }

    private func fault(_ message: String) -> Fault { Fault(message: message, at: at) }
    private var tooDeep: Fault { Fault(code: "depth", message: "nested deeper than \(Self.deepest)", at: at) }
    private var twins: Fault { Fault(code: "duplicate_key", message: "an object has two members of one name", at: at) }
}
