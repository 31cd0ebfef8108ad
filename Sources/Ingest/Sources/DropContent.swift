import Inventory

/// A complete export, opened: one file or several parts of it, expanded where they were compressed.
final class DropContent {
    struct Part {
        let entry: DropEntry
        /// As it lies in the directory.
        let file: TailFile
        /// What is read of it; offsets are its.
        let content: TailFile
    }

    let unit: DropUnit
    let parts: [Part]
    /// SHA-256 of what is in it, all parts after one another; empty until it was hashed.
    private(set) var hash = ""
    private var digest: RunningDigest? = RunningDigest()
    private var part = 0
    private var offset: Int64 = 0

    private static let pieceBytes = 4 << 20

    /// Throws `RejectReason` as an error for what cannot be opened or expanded.
    init(_ unit: DropUnit, directory: String, scratch: String?) throws {
        self.unit = unit
        parts = try unit.entries.map { entry in
            guard let file = TailFile(path: "\(directory)/\(entry.name)") else { throw DropOpenError.busy(entry.name) }
            do throws(ArchiveError) {
                return Part(entry: entry, file: file, content: try Archive.content(of: file, scratch: scratch))
            } catch { throw DropOpenError.refused(RejectReason(code: error.code, message: "\(entry.name): \(error)")) }
        }
    }

    var name: String { unit.name }

    /// Takes a piece into the hash; true when all is in it.
    func hashOn() -> Bool {
        guard let digest else { return true }
        let bytes = parts[part].content.read(at: offset, most: Self.pieceBytes)
        digest.add(bytes)
        offset += Int64(bytes.count)
        if !bytes.isEmpty { return false }
        part += 1
        offset = 0
        guard part == parts.count else { return false }
        hash = String(digest.finish().hex.prefix(32))
        self.digest = nil
        return true
    }

    /// Whether a part's last line has no end: as it was written, or cut off.
    func isOpenEnded(_ framing: Framing) -> Bool {
        guard framing.length == nil else { return false }
        return parts.contains { part in
            let size = part.content.size
            let last = part.content.read(at: max(0, size - Int64(framing.unit)), most: framing.unit)
            return size > 0 && last.withUnsafeBytes { framing.end(in: $0, from: 0) } == nil
        }
    }

    /// Why it is not what it was when it was listed; nil while it is.
    var change: RejectReason? {
        let changed = parts.first { !$0.entry.isStateOf($0.file) }
        return changed.map {
            RejectReason(code: "changed", message: "\($0.entry.name) was changed while it was read")
        }
    }
}

enum DropOpenError: Error {
    /// Its writer does not share it yet, or it went away: looked for again.
    case busy(String)
    case refused(RejectReason)
}

/// The records of an export, part by part.
struct ContentRecords {
    private let content: DropContent
    private let format: FormatDefinition
    private var stream: RecordStream
    private var part = 0

    init(_ content: DropContent, format: FormatDefinition) throws {
        self.content = content
        self.format = format
        stream = try RecordStream(content.parts[0].content, format: format)
    }

    /// Where an item stands: the number and name of its part, and that part's columns.
    struct Place {
        let part: Int
        let file: String
        let columns: [String]
    }

    /// False after the last record of the last part.
    mutating func read(bytes: Int, _ body: (DecodedItem, Place) throws -> Void) throws -> Bool {
        let (part, name) = (part, content.parts[part].entry.name)
        let more = try stream.read(bytes: bytes) { try body($0, Place(part: part, file: name, columns: $1)) }
        if more { return true }
        guard part + 1 < content.parts.count else { return false }
        self.part += 1
        stream = try RecordStream(content.parts[self.part].content, format: format)
        return true
    }
}
