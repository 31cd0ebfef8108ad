import CLinux
import Glibc

/// Tables beside the configuration: the first column is the key, the second the value; a header line is skipped.
enum LookupTable {
    static func read(name: String, path: String) throws -> [String: String] {
        guard let bytes = readFile(path) else {
            throw IngestError(
                "lookup table \"\(name)\" (\(path)) cannot be read", hint: "check the path and its rights")
        }
        var decoder = try CSVDecoder(format: FormatDefinition(), columns: nil)
        var table: [String: String] = [:]
        var offset: Int64 = 0
        for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
            let plain = line.last == 0x0D ? line.dropLast() : line
            if case .record(let record)? = decoder.decode(RawLine(offset: offset, bytes: plain)),
                record.fields.count >= 2
            {
                table[record.value(0)] = record.value(1)
            }
            offset += Int64(line.count) + 1
        }
        return table
    }
}

/// The lookup tables of one mapping, each with what its file looked like when it was read.
final class LookupTables {
    private(set) var tables: [String: [String: String]] = [:]
    private var files: [String: (path: String, stamp: Stamp?)] = [:]

    private struct Stamp: Equatable {
        var size: Int64
        var seconds: Int
        var nanoseconds: Int
        var inode: UInt64
    }

    /// `paths`: by table name. Throws `IngestError` for a table that cannot be read.
    init(_ paths: [String: String]) throws {
        for (name, path) in paths {
            let stamp = Self.stamp(path)
            tables[name] = try LookupTable.read(name: name, path: path)
            files[name] = (path, stamp)
        }
    }

    /// Reads what changed; a table that cannot be read any more stays as it was. One notice a table.
    func reload() -> [String] {
        files.sorted { $0.key < $1.key }.compactMap { name, file in
            let stamp = Self.stamp(file.path)
            guard stamp != file.stamp else { return nil }
            files[name] = (file.path, stamp)
            guard stamp != nil, let table = try? LookupTable.read(name: name, path: file.path) else {
                return "lookup table \"\(name)\" (\(file.path)) cannot be read any more; the one read before stays"
            }
            tables[name] = table
            return "lookup table \"\(name)\" was read again: \(table.count) keys"
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
