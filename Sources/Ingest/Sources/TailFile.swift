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
        let length = Int(min(size, Int64(TailPosition.headBlock)))
        return KnownFile(
            inode: inode, device: device, size: size, headLength: length, headHash: hash(from: 0, length: length))
    }

    /// Whether this is that file. A short head proves little (many files begin with the same header), so it counts
    /// only for the same inode or the same whole content.
    func isKnown(as known: KnownFile) -> Bool {
        let isSameFile = known.inode == inode && known.device == device
        let proves = known.headLength == TailPosition.headBlock || isSameFile || known.size == size
        guard proves, size >= Int64(known.headLength) else { return false }
        return hash(from: 0, length: known.headLength) == known.headHash
    }

    /// Rotations of a path, oldest first: in the same directory, its name with a suffix (`moves.csv.1`,
    /// `moves.csv-20261123`, `moves.csv.old`) or with a number before its extension (`moves-20261123.csv`).
    /// Compressed ones are left out.
    static func siblings(of path: String) -> [TailFile] {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let directory = parts.dropLast().joined(separator: "/")
        guard let name = parts.last.map(String.init), let listing = opendir(directory.isEmpty ? "." : directory) else {
            return []
        }
        defer { closedir(listing) }
        var found: [(modified: Int64, file: TailFile)] = []
        while let entry = readdir(listing), found.count < mostSiblings {
            let other = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard RotatedName.isRotation(other, of: name), let file = TailFile(path: "\(directory)/\(other)") else {
                continue
            }
            found.append((file.modified, file))
        }
        return found.sorted { ($0.modified, $0.file.path) < ($1.modified, $1.file.path) }.map(\.file)
    }

    /// Each is held open while the list is looked through.
    private static let mostSiblings = 500
}

/// Which names a rotator gives.
enum RotatedName {
    static func isRotation(_ other: String, of name: String) -> Bool {
        guard other != name else { return false }
        if other.hasPrefix(name) { return isMark(other.dropFirst(name.count)) }
        guard let dot = name.lastIndex(of: "."), other.hasSuffix(name[dot...]), other.hasPrefix(name[..<dot]),
            other.count > name.count
        else { return false }
        return isMark(other.dropFirst(name[..<dot].count).dropLast(name[dot...].count))
    }

    /// A separator, then a number, a date or a word that means "the one before".
    private static func isMark(_ text: Substring) -> Bool {
        guard let first = text.first, ".-_".contains(first) else { return text == "~" }
        let rest = text.dropFirst()
        if ["old", "bak", "prev", "previous"].contains(rest.lowercased()) { return true }
        return rest.contains(where: \.isNumber) && rest.allSatisfy { $0.isNumber || ".-_T:".contains($0) }
    }
}
