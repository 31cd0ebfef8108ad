/// What a dropped file holds: itself, or what it expands to in a file without a name. Offsets are those of the content.
enum Archive {
    private enum Kind { case plain, gzip, zip }

    /// By its first bytes: gzip (RFC 1952), zip, else plain. A file named .gz or .zip that does not begin like one is
    /// damaged. `scratch` is the directory for what is expanded.
    static func content(
        of file: TailFile, scratch: String?, bounds: ExpansionBounds = ExpansionBounds()
    ) throws(ArchiveError) -> TailFile {
        switch try kind(of: file) {
        case .plain: return file
        case .gzip: return try gzip(file, scratch, bounds)
        case .zip: return try ZipArchive(file).content(scratch: scratch, bounds: bounds)
        }
    }

    /// The first bytes of the content. Of an archive that is not whole, those that could be read.
    static func head(of file: TailFile, most: Int) throws(ArchiveError) -> [UInt8] {
        var head: [UInt8] = []
        let range: Range<Int64>
        let wrapping: Inflation.Wrapping
        switch try kind(of: file) {
        case .plain: return file.read(at: 0, most: most)
        case .gzip: (range, wrapping) = (0..<file.size, .gzip)
        case .zip:
            let entry = try ZipArchive(file).entry()
            if !entry.isDeflated { return file.read(at: entry.data.lowerBound, most: min(most, Int(entry.size))) }
            (range, wrapping) = (entry.data, .none)
        }
        let end = Inflation.run(file, range, wrapping) { piece in
            head.append(contentsOf: piece.prefix(most - head.count))
            return head.count < most
        }
        guard end != .damaged || !head.isEmpty else { throw ArchiveError("damaged", "is damaged, or not whole") }
        return head
    }

    private static func kind(of file: TailFile) throws(ArchiveError) -> Kind {
        let first = file.read(at: 0, most: 4)
        if first.starts(with: [0x1F, 0x8B]) { return .gzip }
        // A zip file without entries begins with its end.
        if first == ZipArchive.localMark || first == ZipArchive.endMark { return .zip }
        for suffix in [".gz", ".zip"] where file.name.lowercased().hasSuffix(suffix) {
            throw ArchiveError("damaged", "does not begin as a \(suffix) file does")
        }
        return .plain
    }

    static func gzip(
        _ file: TailFile, _ scratch: String?, _ bounds: ExpansionBounds
    ) throws(ArchiveError) -> TailFile {
        let expanded = try ScratchFile(in: scratch, packed: file.size, bounds: bounds)
        let end = Inflation.run(file, 0..<file.size, .gzip, expanded.take)
        if end == .damaged { throw ArchiveError("damaged", "is damaged, or not whole") }
        return try expanded.finished(as: file)
    }
}
