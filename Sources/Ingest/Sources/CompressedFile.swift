import CLinux
import CZlib
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

    /// Free disk that expanding leaves alone, and the most that is expanded.
    private static let reserve: Int64 = 200 << 20
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
        read(most: Int64(length)) { head.append(contentsOf: $0) }
        return head
    }

    /// Nil when it is damaged, or not wholly written yet.
    var fingerprint: KnownFile? {
        var head: [UInt8] = []
        var tail: [UInt8] = []
        var length: Int64 = 0
        let isWhole = read(most: Self.most) { bytes in
            if head.count < TailPosition.headBlock {
                head.append(contentsOf: bytes.prefix(TailPosition.headBlock - head.count))
            }
            tail = Array((tail + bytes).suffix(TailPosition.tailBlock))
            length += Int64(bytes.count)
        }
        guard isWhole else { return nil }
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
        var template = Array("\(directory)/expanded-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { return nil }
        unlink(template)
        _ = waybill_fcntl_int(descriptor, F_SETFD, FD_CLOEXEC)
        var isWritten = true
        var written: Int64 = 0
        let isWhole = read(most: Self.most + 1) { bytes in
            isWritten = isWritten && Self.hasRoom(directory) && Self.write(bytes, to: descriptor)
            written += Int64(bytes.count)
        }
        guard isWhole, isWritten, written <= Self.most else {
            close(descriptor)
            errno = isWritten ? EIO : ENOSPC
            return nil
        }
        return TailFile(adopting: descriptor, path: path)
    }

    private static func hasRoom(_ directory: String) -> Bool {
        var status = statvfs()
        guard statvfs(directory, &status) == 0 else { return false }
        return Int64(status.f_bavail) * Int64(status.f_frsize) > reserve
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = Glibc.write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            guard count > 0 else { return false }
            done += count
        }
        return true
    }

    /// False when it ends early or its checksum does not fit.
    @discardableResult
    private func read(most: Int64, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
        guard let stream = gzopen(path, "rb") else { return false }
        defer { gzclose(stream) }
        var left = most
        return withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 8) { buffer in
            while left > 0 {
                let count = gzread(stream, buffer.baseAddress, UInt32(min(left, Int64(buffer.count))))
                guard count >= 0 else { return false }
                if count == 0 {
                    var code: Int32 = 0
                    _ = gzerror(stream, &code)
                    return code == Z_OK || code == Z_STREAM_END
                }
                body(UnsafeRawBufferPointer(rebasing: buffer[..<Int(count)]))
                left -= Int64(count)
            }
            return true
        }
    }
}
