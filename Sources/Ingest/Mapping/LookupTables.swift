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

/// The tables of one mapping, each with what its file looked like when it was read: lookup tables, whose first column is
/// the key and the second the value, and the units of the SKUs.
final class LookupTables {
    private(set) var tables: [String: [String: String]] = [:]
    private(set) var units: UnitTable?
    /// Of all rows, for the mapping's version.
    private(set) var contents: [String: [[String]]] = [:]
    private var files: [String: (path: String, stamp: Stamp?)] = [:]

    /// No lookup table has such a name: it holds a space.
    private static let unitsName = "SKU units"

    private struct Stamp: Equatable {
        var size: Int64
        var seconds: Int
        var nanoseconds: Int
        var inode: UInt64
    }

    /// `paths`: by table name. Throws `IngestError` for a table that cannot be read.
    init(_ paths: [String: String], units: String?) throws {
        for (name, path) in paths { files[name] = (path, nil) }
        if let units { files[Self.unitsName] = (units, nil) }
        for name in files.keys { try read(name) }
    }

    private func read(_ name: String) throws {
        guard let path = files[name]?.path else { return }
        files[name]?.stamp = Self.stamp(path)
        let rows = try TableFile.rows(name, path: path)
        if name == Self.unitsName {
            units = try UnitTable(rows: rows)
        } else {
            let pairs = rows.filter { $0.count >= 2 }.map { ($0[0], $0[1]) }
            tables[name] = Dictionary(pairs, uniquingKeysWith: { _, last in last })
        }
        contents[name] = rows
    }

    /// Reads what changed; a table that cannot be read any more stays as it was. One notice a table.
    func reload() -> [String] {
        files.sorted { $0.key < $1.key }.compactMap { name, file in
            guard Self.stamp(file.path) != file.stamp else { return nil }
            do {
                try read(name)
                return "table \"\(name)\" was read again: \(contents[name]?.count ?? 0) rows"
            } catch { return "\(error); what was read before stays" }
        }
    }

    private static func stamp(_ path: String) -> Stamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Stamp(
            size: Int64(status.st_size), seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec,
            inode: UInt64(status.st_ino))
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
