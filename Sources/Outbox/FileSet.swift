import Glibc
import Inventory
import SQLite

/// The files of one outbox. They are renamed, never deleted.
struct FileSet {
    let directory: String
    var path: String { directory + "/outbox.sqlite" }

    var isThere: Bool { exists(path) }

    /// The names of damaged files that were kept, oldest first.
    var asides: [String] {
        guard let listing = opendir(directory) else { return [] }
        defer { closedir(listing) }
        var names: [String] = []
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(Self.asidePrefix), !name.hasSuffix("-wal"), !name.hasSuffix("-shm") {
                names.append(name)
            }
        }
        return names.sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }
    }

    private static let asidePrefix = "outbox.sqlite.corrupt-"

    /// Keeps a damaged file under another name, which it returns. Nothing may have it open for writing.
    func setAside(now: Timestamp) throws -> String {
        var aside = "\(path).corrupt-\(now.milliseconds)"
        while exists(aside) { aside += "x" }
        try move("", to: aside)
        try takeLogAlong(to: aside)
        return aside
    }

    /// A log whose database is not there belongs to one that was set aside when the power failed: SQLite would write it
    /// into the new file.
    func tidy(now: Timestamp) throws {
        guard !exists(path) else { return }
        try takeLogAlong(to: "\(path).corrupt-\(now.milliseconds)")
    }

    private func takeLogAlong(to aside: String) throws {
        for suffix in ["-wal", "-shm"] where exists(path + suffix) { try move(suffix, to: aside) }
        let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    private func move(_ suffix: String, to aside: String) throws {
        guard rename(path + suffix, aside + suffix) == 0 else {
            throw OutboxError(
                code: .directory,
                message: "cannot set the damaged \(path)\(suffix) aside: \(String(cString: strerror(errno)))",
                hint: "check the rights of \(directory); nothing is captured or published until this is mended")
        }
    }

    private func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}
