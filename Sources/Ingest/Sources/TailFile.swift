import CLinux
import Glibc
import Inventory

/// One open file of a tail.
final class TailFile {
    let path: String
    /// Without its directory.
    let name: String
    let inode: UInt64
    let device: UInt64
    private let descriptor: Int32

    /// Nil when the file is missing or cannot be read; `errno` says which.
    init?(path: String) {
        let opened = waybill_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard opened >= 0 else { return nil }
        var status = stat()
        guard fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            let isDirectory = status.st_mode & S_IFMT == S_IFDIR
            close(opened)
            errno = isDirectory ? EISDIR : EINVAL
            return nil
        }
        descriptor = opened
        self.path = path
        name = path.split(separator: "/").last.map(String.init) ?? path
        inode = UInt64(status.st_ino)
        device = UInt64(status.st_dev)
    }

    /// Takes over an open descriptor, of a file that stands for the one at `path`.
    init?(adopting opened: Int32, path: String) {
        var status = stat()
        guard fstat(opened, &status) == 0 else {
            close(opened)
            return nil
        }
        descriptor = opened
        self.path = path
        name = path.split(separator: "/").last.map(String.init) ?? path
        inode = UInt64(status.st_ino)
        device = UInt64(status.st_dev)
    }

    deinit { close(descriptor) }

    var size: Int64 { status.map { Int64($0.st_size) } ?? 0 }

    /// Nanoseconds since 1970.
    var modified: Int64 {
        status.map { Int64($0.st_mtim.tv_sec) * 1_000_000_000 + Int64($0.st_mtim.tv_nsec) } ?? 0
    }

    private var status: stat? {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? status : nil
    }

    func isWhereItWas(_ position: TailPosition) -> Bool { inode == position.inode && device == position.device }

    func isSame(as other: TailFile) -> Bool { inode == other.inode && device == other.device }

    func read(at offset: Int64, most: Int) -> [UInt8] {
        let length = Int(max(0, min(Int64(most), size - offset)))
        guard length > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            count = max(0, pread(descriptor, buffer.baseAddress, length, off_t(offset)))
        }
    }

    func hash(from offset: Int64, length: Int) -> String {
        length == 0 ? "" : Digest(sha256: read(at: offset, most: length)).hex
    }

    /// Whether this file holds what was read up to a position: the only identity that is trusted.
    func continues(_ position: TailPosition) -> Bool {
        guard size >= position.offset else { return false }
        return hash(from: 0, length: position.headLength) == position.headHash
            && hash(from: position.offset - Int64(position.tailLength), length: position.tailLength)
                == position.tailHash
    }

    var fingerprint: KnownFile {
        let size = size
        return KnownFile(
            name: name, inode: inode, device: device, size: size, changed: modified / 1_000_000_000,
            hash: contentHash(upTo: size))
    }

    /// Whether this is that file, grown or not; another inode holds it only as a copy that kept size and time.
    func isKnown(as known: KnownFile) -> Bool {
        let isSameFile = known.inode == inode && known.device == device
        let isCopy = known.size == size && known.changed == modified / 1_000_000_000
        if !known.hasData { return size == known.size && contentHash(upTo: known.size) == known.hash }
        return size >= known.size && (isSameFile || isCopy) && contentHash(upTo: known.size) == known.hash
    }

    private func contentHash(upTo size: Int64) -> String {
        let head = min(size, Int64(TailPosition.headBlock))
        let tail = min(size, Int64(TailPosition.tailBlock))
        return KnownFile.hash(head: read(at: 0, most: Int(head)), tail: read(at: size - tail, most: Int(tail)))
    }
}
