extension String {
    /// Of a path: all before its last part.
    package var directory: String {
        guard let slash = lastIndex(of: "/") else { return "." }
        return slash == startIndex ? "/" : String(self[..<slash])
    }

    /// Of a path: its last part.
    package var fileName: String { lastIndex(of: "/").map { String(self[index(after: $0)...]) } ?? self }
}
