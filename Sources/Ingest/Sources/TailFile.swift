import CLinux
import Glibc
import Inventory

/// One open file of a tail.
final class TailFile {
    let path: String
    let inode: UInt64
    let device: UInt64
    private let descriptor: Int32

    /// Nil when the file is missing or cannot be read; `errno` says which.
    init?(path: String) {
        let opened = waybill_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard opened >= 0 else { return nil }
        var status = stat()
        guard fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(opened)
            return nil
        }
        descriptor = opened
        self.path = path
        inode = UInt64(status.st_ino)
        device = UInt64(status.st_dev)
    }

    deinit { close(descriptor) }

    var size: Int64 {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? Int64(status.st_size) : 0
    }

    var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    func read(at offset: Int64, most: Int) -> [UInt8] {
        let length = Int(max(0, min(Int64(most), size - offset)))
        guard length > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: length)
        let count = pread(descriptor, &bytes, length, off_t(offset))
        return count > 0 ? Array(bytes[..<count]) : []
    }

    func hash(from offset: Int64, length: Int) -> String {
        length == 0 ? "" : Digest(sha256: read(at: offset, most: length)).hex
    }

    /// Whether this file holds what was read up to a position: the only identity that is trusted.
    func continues(_ position: TailPosition) -> Bool {
        guard size >= position.offset else { return false }
        return hash(from: 0, length: position.headLength) == position.headHash
            && hash(from: position.offset - Int64(position.tailLength), length: position.tailLength) == position.tailHash
    }

    /// Whether the path still names this file.
    var isCurrent: Bool {
        var status = stat()
        return stat(path, &status) == 0 && UInt64(status.st_ino) == inode && UInt64(status.st_dev) == device
    }

    /// Sibling files of a path (its rotations: same name with a suffix), oldest first; compressed ones are left out.
    static func siblings(of path: String) -> [(path: String, modified: Int64)] {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let directory = parts.dropLast().joined(separator: "/")
        guard let name = parts.last.map(String.init), let listing = opendir(directory.isEmpty ? "." : directory) else {
            return []
        }
        defer { closedir(listing) }
        var found: [(path: String, modified: Int64)] = []
        while let entry = readdir(listing), found.count < 10_000 {
            let other = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard other != name, other.hasPrefix(name), !other.hasSuffix(".gz") else { continue }
            let full = "\(directory)/\(other)"
            var status = stat()
            guard stat(full, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            found.append((full, Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)))
        }
        return found.sorted { ($0.modified, $0.path) < ($1.modified, $1.path) }
    }
}
