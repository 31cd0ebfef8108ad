import CLinux
import Glibc

/// A file of a drop directory as one look saw it.
struct DropEntry: Equatable {
    var name: String
    var said: DropName
    var size: Int64
    /// Nanoseconds since 1970.
    var modified: Int64
    /// Where it stands among the others: by the date and number in its name, or its time, then by its name.
    var order: String

    /// Tells this state of the file from an earlier or later one of the same name.
    var stamp: String { "\(name)|\(size)|\(modified)" }

    /// Whether the file that bears the name now is still as it was seen.
    func isStateOf(_ file: TailFile) -> Bool { file.size == size && file.modified == modified }
}

/// One look at a drop directory.
struct DropListing {
    /// In their order, at most `mostAtOnce`; what was read before is left out.
    var entries: [DropEntry] = []
    /// By lower-case name: when each marker was changed last, in nanoseconds since 1970.
    var markers: [String: Int64] = [:]
    /// Files that were read before and are still there, at most `mostLeft`.
    var left: [DropEntry] = []
    var isCut = false

    private static let mostLeft = 1_000

    /// Nil when the directory cannot be listed; `errno` says why. `from`: what sorts before it is passed over unseen, where
    /// names give the order.
    init?(
        _ directory: String, pattern: DropPattern, settings: DropSettings, from: String? = nil,
        isKnown: (DropEntry) -> Bool
    ) {
        guard let listing = opendir(directory) else { return nil }
        defer { closedir(listing) }
        let marker: String? = if case .marker(let suffix) = settings.completion { suffix.lowercased() } else { nil }
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let marker, name.lowercased().hasSuffix(marker) {
                if let status = Self.status("\(directory)/\(name)") {
                    markers[name.lowercased()] = Self.nanoseconds(status)
                }
                continue
            }
            guard !name.hasPrefix("."), let said = pattern.read(name) else { continue }
            let order = settings.order == .name ? Self.order(name, said) : nil
            if let order, order.precedesInBytes(from ?? "") || last?.precedesInBytes(order) == true { continue }
            guard let status = Self.status("\(directory)/\(name)") else { continue }
            let found = Self.entry(name, said, status, order)
            if !isKnown(found) {
                entries.append(found)
            } else if left.count < Self.mostLeft {
                left.append(found)
            }
            if entries.count >= settings.mostAtOnce * 2 { cut(to: settings.mostAtOnce) }
        }
        cut(to: settings.mostAtOnce)
    }

    /// Of the entries, once there are too many: what sorts after it is not for this look.
    private var last: String?

    /// The first ones stay: what comes later in the order is seen by a later look.
    private mutating func cut(to most: Int) {
        entries.sort { $0.order.precedesInBytes($1.order) }
        guard entries.count > most else { return }
        entries.removeLast(entries.count - most)
        last = entries.last?.order
        isCut = true
    }

    private static func order(_ name: String, _ said: DropName) -> String {
        "\(said.date)|\(said.sequence.map { padded($0) } ?? "")|\(name.naturalOrder)"
    }

    private static func entry(_ name: String, _ said: DropName, _ status: stat, _ order: String?) -> DropEntry {
        let modified = nanoseconds(status)
        return DropEntry(
            name: name, said: said, size: Int64(status.st_size), modified: modified,
            order: order ?? "\(padded(modified))|\(name.naturalOrder)")
    }

    /// Sorts as text as it does as a number.
    static func padded(_ number: Int64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 20 - digits.count)) + digits
    }

    /// Nil for what is no regular file.
    private static func status(_ path: String) -> stat? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return status
    }

    private static func nanoseconds(_ status: stat) -> Int64 {
        Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    }
}
