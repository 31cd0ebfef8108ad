import CLinux
import Glibc
import Inventory

/// CSV files beside the configuration, in UTF-8 and with a header line.
enum TableFile {
    /// The rows after the header. Throws `IngestError` for a file or a row that cannot be read.
    static func rows(_ name: String, path: String) throws -> [[String]] {
        guard let bytes = readFile(path) else {
            throw IngestError("table \"\(name)\" (\(path)) cannot be read", hint: "check the path and its rights")
        }
        var decoder = try CSVDecoder(format: FormatDefinition(), columns: nil)
        var rows: [[String]] = []
        for (index, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            let plain = line.last == 0x0D ? line.dropLast() : line
            switch decoder.decode(RawLine(offset: Int64(index), bytes: plain)) {
            case .record(let record): rows.append(record.values)
            case .reject(_, _, let reason):
                throw IngestError(
                    "table \"\(name)\" (\(path)), line \(index + 1): \(reason.message)", hint: "mend the line")
            case .notice, nil: break
            }
        }
        guard decoder.pendingOffset == nil else {
            throw IngestError("table \"\(name)\" (\(path)) ends within a quote", hint: "close the quote")
        }
        return rows
    }
}

/// The tables of one mapping, each with what its file looked like when it was read: lookup tables by key, from CSV files
/// (first column key, second value) or from master data, and the units of the SKUs.
final class LookupTables {
    private(set) var tables: [String: [String: String]] = [:]
    private(set) var units: UnitTable?
    /// What stands for all rows in the mapping's version.
    private(set) var contents: [String: [[String]]] = [:]
    private var files: [String: File] = [:]

    /// No lookup table has such a name: it holds a space.
    private static let unitsName = "SKU units"

    private enum Origin {
        case csv(String)
        case master(MasterFile)
    }

    private struct File {
        var origin: Origin
        var stamp: Stamp?
        /// A newer state of master data, as the last look saw it.
        var seen: Stamp?
        var rows = 0
    }

    private struct Stamp: Equatable {
        var path: String
        var size: Int64
        var modified: Int64
        var inode: UInt64
    }

    /// None.
    init() {}

    /// Throws `IngestError` for a table that cannot be read.
    init(_ definition: MappingDefinition) throws {
        for (name, path) in definition.lookups { files[name] = File(origin: .csv(path)) }
        if let units = definition.units { files[Self.unitsName] = File(origin: .csv(units)) }
        for master in definition.masters {
            files[master.isUnits ? Self.unitsName : master.name] = File(origin: .master(try MasterFile(master)))
        }
        for name in files.keys.sorted() { try read(name) }
    }

    private func read(_ name: String) throws {
        guard let file = files[name] else { return }
        let stamp = stamp(file)
        files[name]?.stamp = stamp
        let rows: [[String]]
        switch file.origin {
        case .csv(let path): rows = try TableFile.rows(name, path: path)
        case .master(let master):
            rows = try master.rows()
            // A file that is written now looks like one that lacks the rest.
            guard rows.count * 2 >= file.rows else {
                throw IngestError(
                    "master data \"\(name)\" (\(stamp?.path ?? "")) has \(rows.count) rows, and had \(file.rows)",
                    hint: "if that is right, restart the agent")
            }
        }
        if name == Self.unitsName {
            units = try UnitTable(rows: rows)
        } else {
            let pairs = rows.filter { $0.count >= 2 }.map { ($0[0], $0[1]) }
            tables[name] = Dictionary(pairs, uniquingKeysWith: { _, last in last })
        }
        files[name]?.rows = rows.count
        contents[name] = if case .master = file.origin { [[Self.hash(rows)]] } else { rows }
    }

    private static func hash(_ rows: [[String]]) -> String {
        var text: [UInt8] = []
        for row in rows { text += row.joined(separator: "\u{1F}").utf8 + [0x1E] }
        return Digest(sha256: text).hex
    }

    /// Reads what changed; a table that cannot be read any more stays as it was. One notice a table.
    func reload() -> [String] {
        files.keys.sorted().compactMap { name in
            guard let file = files[name], isDue(name, file) else { return nil }
            do {
                try read(name)
                return "table \"\(name)\" was read again: \(files[name]?.rows ?? 0) rows"
            } catch { return "\(error); what was read before stays" }
        }
    }

    /// Master data is read when two looks in a row see the same new state: it may be written just now.
    private func isDue(_ name: String, _ file: File) -> Bool {
        let now = stamp(file)
        guard now != file.stamp else { return false }
        guard case .master = file.origin else { return true }
        files[name]?.seen = now
        return now == file.seen
    }

    private func stamp(_ file: File) -> Stamp? {
        let path: String
        switch file.origin {
        case .csv(let named): path = named
        case .master(let master):
            guard let newest = master.newest() else { return nil }
            path = newest
        }
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        let modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
        return Stamp(path: path, size: Int64(status.st_size), modified: modified, inode: UInt64(status.st_ino))
    }
}

/// A whole file of at most 64 MiB; nil when it cannot be read.
func readFile(_ path: String) -> [UInt8]? {
    let descriptor = waybill_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_size <= 64 << 20 else { return nil }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var filled = 0
    while filled < bytes.count {
        let count = bytes.withUnsafeMutableBytes { buffer in
            read(descriptor, buffer.baseAddress.map { $0 + filled }, buffer.count - filled)
        }
        guard count > 0 else { break }
        filled += count
    }
    return Array(bytes[..<filled])
}
