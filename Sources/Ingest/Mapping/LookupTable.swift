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
