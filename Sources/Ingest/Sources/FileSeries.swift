import CLinux
import Glibc
import Inventory

// What a source's path stands for: one name and the rotations of it, or all files that fit a pattern.
//
// Rotations are read in the order of their last change, files of a pattern in that of their names. Below a floor all
// was read, or was there before the first start: a time for rotations, a name for a pattern.

/// A file of a series beside the one at hand.
enum SeriesFile {
    case plain(TailFile)
    case compressed(CompressedFile)

    var name: String {
        switch self {
        case .plain(let file): file.name
        case .compressed(let file): file.name
        }
    }

    var modified: Int64 {
        switch self {
        case .plain(let file): file.modified
        case .compressed(let file): file.modified
        }
    }

    var size: Int64 {
        switch self {
        case .plain(let file): file.size
        case .compressed(let file): file.size
        }
    }

    func isKnown(as known: KnownFile) -> Bool {
        switch self {
        case .plain(let file): file.isKnown(as: known)
        case .compressed(let file): file.isKnown(as: known)
        }
    }

    /// Nil for a compressed one that is damaged or not wholly written yet.
    var fingerprint: KnownFile? {
        switch self {
        case .plain(let file): file.fingerprint
        case .compressed(let file): file.fingerprint
        }
    }

    /// The same file, or its contents compressed.
    func isSame(as other: TailFile) -> Bool {
        switch self {
        case .plain(let file): file.isSame(as: other)
        case .compressed(let file): file.name == other.name || file.isKnown(as: other.fingerprint)
        }
    }

    /// `scratch`: where a compressed one is expanded; nil when that cannot be.
    func opened(scratch: String?) -> TailFile? {
        switch self {
        case .plain(let file): file
        case .compressed(let file): scratch.flatMap { file.expanded(in: $0) }
        }
    }
}

struct FileSeries {
    let path: String
    /// Of the path, without its directory.
    let name: String
    private let directory: String
    private let pattern: FilePattern?
    private let scratch: String?

    /// Each is held open while the list is looked through.
    private static let mostFiles = 500
    private static let mostNames = 20_000

    init(path: String, scratch: String?) {
        self.path = path
        self.scratch = scratch
        name = path.fileName
        directory = path.directory
        pattern = FilePattern(name)
    }

    var isPattern: Bool { pattern != nil }
    var watchedDirectory: String { directory }

    /// The file that the path names now; nil when there is none, and for a pattern.
    func named() -> TailFile? { isPattern ? nil : TailFile(path: path) }

    /// Why nothing can be read of it now, after `named()` or `others()` gave nothing.
    var absence: String { isPattern ? "no file fits" : String(cString: strerror(errno)) }

    /// All but the one that the path names, in the order of reading. `after`: a name of a pattern's file; those up to it
    /// are left out unopened.
    func others(after floor: String = "") -> [SeriesFile] {
        let names = names().filter { $0 > floor }
        if isPattern { return names.prefix(Self.mostFiles).compactMap { open("\(directory)/\($0)") } }
        let newest = names.count > Self.mostFiles ? names.sorted { changed($0) > changed($1) } : names
        let files = newest.prefix(Self.mostFiles).compactMap { open("\(directory)/\($0)") }
        return files.sorted { ($0.modified, $0.name) < ($1.modified, $1.name) }
    }

    func opened(_ file: SeriesFile) -> TailFile? { file.opened(scratch: scratch) }

    /// The file that goes on where a position stands, that has a first data line: of several the one that stands where it
    /// did, then the one that the path names, then the oldest. A rotator may rename it while it is looked for, and a
    /// listing may then show neither name: it is looked for again before it counts as gone.
    func file(continuing position: TailPosition) -> TailFile? {
        for _ in 0..<Self.looks {
            if let file = lookOnce(for: position) { return file }
        }
        return nil
    }

    private static let looks = 3

    /// What the path names is opened before the others are listed: renamed in between it is found twice, never not at all.
    private func lookOnce(for position: TailPosition) -> TailFile? {
        let named = named()
        let others = others()
        let plain = others.compactMap { if case .plain(let file) = $0 { file } else { nil } }
        let fitting = ([named].compactMap(\.self) + plain).filter { $0.continues(position) }
        if let first = fitting.first(where: { $0.isWhereItWas(position) }) ?? fitting.first { return first }
        for case .compressed(let file) in others.reversed() where file.mayContinue(position) {
            if let expanded = opened(.compressed(file)), expanded.continues(position) { return expanded }
        }
        return nil
    }

    /// Seconds since 1970.
    private func changed(_ name: String) -> Int {
        var status = stat()
        return stat("\(directory)/\(name)", &status) == 0 ? status.st_mtim.tv_sec : 0
    }

    private func open(_ path: String) -> SeriesFile? {
        if path.hasSuffix(".gz") { return CompressedFile(path: path).map { .compressed($0) } }
        return TailFile(path: path).map { .plain($0) }
    }

    /// Sorted. More than `mostNames` are cut off at the end of the directory's own order.
    private func names() -> [String] {
        guard let listing = opendir(directory) else { return [] }
        defer { closedir(listing) }
        var names: [String] = []
        while let entry = readdir(listing), names.count < Self.mostNames {
            let other = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let isIn = pattern.map { $0.matches(plain(other)) } ?? RotatedName.isRotation(plain(other), of: name)
            if isIn { names.append(other) }
        }
        return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }

    private func plain(_ name: String) -> String { name.hasSuffix(".gz") ? String(name.dropLast(3)) : name }
}

/// What a source that was never read would read at its first start.
package struct FirstStart {
    package var files = 0
    package var bytes: Int64 = 0

    /// Nil while there is no file.
    package init?(_ definition: SourceDefinition) {
        if let drop = definition.drop { self.init(definition, drop) } else { self.init(tail: definition) }
    }

    private init?(_ definition: SourceDefinition, _ drop: DropSettings) {
        guard let pattern = try? DropPattern(definition.path.fileName),
            let listing = DropListing(
                definition.path.directory, pattern: pattern, settings: drop, isKnown: { _ in false })
        else { return nil }
        if definition.startsAtEnd { return }
        for entry in listing.entries {
            if let start = definition.startsAt, entry.modified / 1_000_000 < start.milliseconds { continue }
            files += 1
            bytes += entry.size
        }
    }

    private init?(tail definition: SourceDefinition) {
        let series = FileSeries(path: definition.path, scratch: nil)
        let named = series.named().map { [SeriesFile.plain($0)] } ?? []
        guard series.isPattern ? !series.others().isEmpty : !named.isEmpty else { return nil }
        if definition.startsAtEnd { return }
        let others = series.isPattern || definition.startsAt != nil ? series.others() : []
        for file in others + named {
            if let start = definition.startsAt, file.modified / 1_000_000 < start.milliseconds { continue }
            files += 1
            bytes += file.size
        }
    }
}

/// Which names a rotator gives: the name with a suffix (`moves.csv.1`, `moves.csv-20261123`, `moves.csv.old`) or with a
/// number before its extension (`moves-20261123.csv`).
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
