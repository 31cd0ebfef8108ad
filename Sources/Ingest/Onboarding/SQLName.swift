import CSQLite

enum SQLName {
    /// A column's name as an expression may have it: `[Artikel Nr]` where it is no plain word, which needs no escapes in
    /// TOML.
    static func quoted(_ name: String) -> String {
        let bytes = Array(name.utf8)
        let isPlain = bytes.enumerated().allSatisfy { index, byte in
            (0x61...0x7A).contains(byte | 0x20) || byte == 0x5F || index > 0 && (0x30...0x39).contains(byte)
        }
        let isKeyword = name.withCString { sqlite3_keyword_check($0, Int32(bytes.count)) != 0 }
        if isPlain, !isKeyword { return name }
        if !bytes.contains(0x5D) { return "[\(name)]" }
        return "\"\(name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\""
    }
}
