import CZlib

// A reader of zip files that hold one file (PKWARE APPNOTE 6.3.10). The central directory at the end says what there is;
// the header before the data has to agree with it, so that no reader can be shown another file than the next one.

struct ZipArchive {
    struct Entry {
        var name: [UInt8]
        var flags: UInt64
        var method: UInt64
        var checksum: UInt64
        var packed: Int64
        var size: Int64
        var header: Int64
        /// Where its packed bytes lie.
        var data: Range<Int64> = 0..<0

        var isDeflated: Bool { method == 8 }
        /// What archivers add besides the files.
        var isNoFile: Bool { name.last == UInt8(ascii: "/") || name.starts(with: Array("__MACOSX/".utf8)) }
    }

    private struct Directory {
        var entries: UInt64
        var range: Range<Int64>
    }

    static let localMark: [UInt8] = [0x50, 0x4B, 3, 4]
    static let endMark: [UInt8] = [0x50, 0x4B, 5, 6]
    private static let centralMark: [UInt8] = [0x50, 0x4B, 1, 2]
    private static let locatorMark: [UInt8] = [0x50, 0x4B, 6, 7]
    private static let wideEndMark: [UInt8] = [0x50, 0x4B, 6, 6]
    /// Bytes of a directory: 100,000 files, of which one at most is wanted.
    private static let mostDirectory: Int64 = 16 << 20
    private static let damaged = ArchiveError("damaged", "is damaged, or not whole")

    private let file: TailFile

    init(_ file: TailFile) { self.file = file }

    func content(scratch: String?, bounds: ExpansionBounds) throws(ArchiveError) -> TailFile {
        let entry = try entry()
        if let problem = bounds.problem(entry.size, packed: entry.packed) { throw problem }
        let expanded = try ScratchFile(in: scratch, packed: entry.packed, bounds: bounds)
        var checksum: UInt = 0
        func take(_ piece: UnsafeRawBufferPointer) -> Bool {
            checksum = crc32(checksum, piece.assumingMemoryBound(to: UInt8.self).baseAddress, UInt32(piece.count))
            return expanded.take(piece) && expanded.size <= entry.size
        }
        let end = entry.isDeflated ? Inflation.run(file, entry.data, .none, take) : copy(entry.data, take)
        if let problem = expanded.problem { throw problem }
        guard end == .whole, expanded.size == entry.size, UInt64(checksum) == entry.checksum else {
            throw Self.damaged
        }
        return try expanded.finished(as: file)
    }

    /// The one file in it.
    func entry() throws(ArchiveError) -> Entry {
        let directory = try directory()
        var files = try entries(directory).filter { !$0.isNoFile }
        guard var entry = files.popLast() else { throw ArchiveError("empty", "holds no file") }
        guard files.isEmpty else {
            throw ArchiveError("several", "holds \(files.count + 1) files where one is expected")
        }
        try entry.check()
        entry.data = try data(of: entry, before: directory.range.lowerBound)
        return entry
    }

    private func copy(_ range: Range<Int64>, _ body: (UnsafeRawBufferPointer) -> Bool) -> Inflation.End {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let piece = file.read(at: offset, most: Int(min(64 << 10, range.upperBound - offset)))
            guard !piece.isEmpty else { return .damaged }
            offset += Int64(piece.count)
            guard piece.withUnsafeBytes(body) else { return .stopped }
        }
        return .whole
    }

    // MARK: the directory

    private func directory() throws(ArchiveError) -> Directory {
        let size = file.size
        let end = file.read(at: max(0, size - 65_557), most: 65_557)
        let found = stride(from: end.count - 22, through: 0, by: -1).first { at in
            end[at...].starts(with: Self.endMark) && UInt64(at) + 22 + end.number(at + 20, 2) == end.count
        }
        guard let found else { throw Self.damaged }
        let position = size - Int64(end.count - found)
        if let wide = try wideDirectory(before: position) { return wide }
        guard end.number(found + 4, 4) == 0, end.number(found + 8, 2) == end.number(found + 10, 2) else {
            throw ArchiveError("unsupported", "is one part of several")
        }
        return try Directory(
            entries: end.number(found + 10, 2),
            range: range(from: end.number(found + 16, 4), count: end.number(found + 12, 4), within: position))
    }

    /// That of zip64, where there is one.
    private func wideDirectory(before end: Int64) throws(ArchiveError) -> Directory? {
        let locator = file.read(at: max(0, end - 20), most: 20)
        guard end >= 20, locator.starts(with: Self.locatorMark) else { return nil }
        let at = try range(from: locator.number(8, 8), count: 56, within: end - 20)
        let record = file.read(at: at.lowerBound, most: 56)
        guard record.count == 56, record.starts(with: Self.wideEndMark) else { throw Self.damaged }
        guard record.number(16, 8) == 0, record.number(24, 8) == record.number(32, 8) else {
            throw ArchiveError("unsupported", "is one part of several")
        }
        return try Directory(
            entries: record.number(32, 8),
            range: range(from: record.number(48, 8), count: record.number(40, 8), within: at.lowerBound))
    }

    private func range(from start: UInt64, count: UInt64, within end: Int64) throws(ArchiveError) -> Range<Int64> {
        guard start <= UInt64(end), count <= UInt64(end) - start else { throw Self.damaged }
        return Int64(start)..<Int64(start + count)
    }

    private func entries(_ directory: Directory) throws(ArchiveError) -> [Entry] {
        let length = directory.range.upperBound - directory.range.lowerBound
        guard length <= Self.mostDirectory else { throw ArchiveError("several", "holds too many files") }
        let bytes = file.read(at: directory.range.lowerBound, most: Int(length))
        var entries: [Entry] = []
        var at = 0
        while UInt64(entries.count) < directory.entries {
            guard at + 46 <= bytes.count, bytes[at...].starts(with: Self.centralMark) else { throw Self.damaged }
            let nameEnd = at + 46 + Int(bytes.number(at + 28, 2))
            let extraEnd = nameEnd + Int(bytes.number(at + 30, 2))
            let next = extraEnd + Int(bytes.number(at + 32, 2))
            guard next <= bytes.count else { throw Self.damaged }
            entries.append(
                try Self.entry(bytes, at, name: at + 46..<nameEnd, extra: Array(bytes[nameEnd..<extraEnd])))
            at = next
        }
        return entries
    }

    private static func entry(
        _ bytes: [UInt8], _ at: Int, name: Range<Int>, extra: [UInt8]
    ) throws(ArchiveError) -> Entry {
        // Size, packed size and header's place stand in this order in the zip64 field, those that are all ones here.
        var numbers = [bytes.number(at + 24, 4), bytes.number(at + 20, 4), bytes.number(at + 42, 4)]
        var wide = field(1, in: extra)[...]
        for index in numbers.indices where numbers[index] == 0xFFFF_FFFF {
            guard wide.count >= 8 else { throw damaged }
            numbers[index] = Array(wide).number(0, 8)
            wide = wide.dropFirst(8)
        }
        guard numbers.allSatisfy({ $0 < 1 << 62 }) else { throw damaged }
        return Entry(
            name: Array(bytes[name]), flags: bytes.number(at + 8, 2), method: bytes.number(at + 10, 2),
            checksum: bytes.number(at + 16, 4), packed: Int64(numbers[1]), size: Int64(numbers[0]),
            header: Int64(numbers[2]))
    }

    /// The extra field of that number; empty when there is none.
    private static func field(_ id: UInt64, in extra: [UInt8]) -> [UInt8] {
        var at = 0
        while at + 4 <= extra.count {
            let end = at + 4 + Int(extra.number(at + 2, 2))
            if extra.number(at, 2) == id { return Array(extra[at + 4..<max(at + 4, min(end, extra.count))]) }
            at = end
        }
        return []
    }

    /// Where its data lies, by the header before it, which has to tell the same.
    private func data(of entry: Entry, before limit: Int64) throws(ArchiveError) -> Range<Int64> {
        let fixed = file.read(at: entry.header, most: 30)
        guard fixed.count == 30, fixed.starts(with: Self.localMark), fixed.number(6, 2) & 1 == entry.flags & 1,
            fixed.number(8, 2) == entry.method, fixed.number(26, 2) == entry.name.count,
            file.read(at: entry.header + 30, most: entry.name.count) == entry.name
        else { throw Self.damaged }
        let start = UInt64(entry.header) + 30 + fixed.number(26, 2) + fixed.number(28, 2)
        return try range(from: start, count: UInt64(entry.packed), within: limit)
    }
}

extension ZipArchive.Entry {
    fileprivate func check() throws(ArchiveError) {
        // Encrypted, strongly encrypted, with masked headers; AES has a method of its own.
        guard flags & 0x2041 == 0, method != 99 else {
            throw ArchiveError("encrypted", "is encrypted; it has to be packed without a password")
        }
        guard method == 0 || isDeflated else {
            let names: [UInt64: String] = [9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz"]
            throw ArchiveError(
                "unsupported", "is packed by \(names[method] ?? "method \(method)"); deflate is read, or gzip")
        }
        if method == 0, packed != size { throw ArchiveError("damaged", "tells two sizes of a file that is stored") }
    }
}

extension [UInt8] {
    /// Little-endian; 0 beyond the end.
    fileprivate func number(_ at: Int, _ length: Int) -> UInt64 {
        guard at >= 0, at + length <= count else { return 0 }
        return self[at..<at + length].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
