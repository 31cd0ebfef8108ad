import Glibc
import Inventory

/// A rotated file that was compressed with gzip (RFC 1952). What is read of it is expanded first, into a file without a
/// name: offsets and hashes then mean the same as before it was compressed.
struct CompressedFile {
    let path: String
    let name: String
    /// Nanoseconds since 1970; gzip keeps those of the file that it compressed.
    let modified: Int64
    /// What it holds, as its trailer says: exact below 4 GiB.
    let size: Int64

    /// The most that is expanded.
    private static let most: Int64 = 4 << 30

    /// Nil when it cannot be read or is no gzip file.
    init?(path: String) {
        guard let file = TailFile(path: path), file.size > 18, file.read(at: 0, most: 2) == [0x1F, 0x8B] else {
            return nil
        }
        self.path = path
        name = file.name
        modified = file.modified
        size = file.read(at: file.size - 4, most: 4).reversed().reduce(0) { $0 << 8 | Int64($1) }
    }

    /// The first bytes of what it holds.
    func head(_ length: Int) -> [UInt8] {
        var head: [UInt8] = []
        _ = read { piece in
            head.append(contentsOf: piece.prefix(length - head.count))
            return head.count < length
        }
        return head
    }

    /// Nil when it is damaged, or not wholly written yet.
    var fingerprint: KnownFile? {
        var head: [UInt8] = []
        var tail: [UInt8] = []
        var length: Int64 = 0
        let end = read { bytes in
            if head.count < TailPosition.headBlock {
                head.append(contentsOf: bytes.prefix(TailPosition.headBlock - head.count))
            }
            tail = Array((tail + bytes).suffix(TailPosition.tailBlock))
            length += Int64(bytes.count)
            return length < Self.most
        }
        guard end != .damaged else { return nil }
        return KnownFile(
            name: name, inode: 0, device: 0, size: length, changed: modified / 1_000_000_000,
            hash: KnownFile.hash(head: head, tail: tail))
    }

    /// A compressed file does not grow any more, so its size has to be the same.
    func isKnown(as known: KnownFile) -> Bool { size == known.size && fingerprint?.hash == known.hash }

    /// Whether its head is that of the position: worth expanding.
    func mayContinue(_ position: TailPosition) -> Bool {
        guard size >= position.offset else { return false }
        return position.headLength == 0 || Digest(sha256: head(position.headLength)).hex == position.headHash
    }

    /// Expands it beside other data of the agent. Nil when there is not enough room, or it is damaged: then `errno` says
    /// why.
    func expanded(in directory: String) -> TailFile? {
        do throws(ArchiveError) {
            guard let file = TailFile(path: path) else { return nil }
            return try Archive.gzip(file, directory, ExpansionBounds(most: Self.most, ratio: nil))
        } catch {
            errno = error.code == "no_room" ? ENOSPC : EIO
            return nil
        }
    }

    private func read(_ body: (UnsafeRawBufferPointer) -> Bool) -> Inflation.End {
        guard let file = TailFile(path: path) else { return .damaged }
        return Inflation.run(file, 0..<file.size, .gzip, body)
    }
}
