import CLinux
import Glibc

struct FileError: Error, CustomStringConvertible {
    let operation: String
    let path: String
    let code: Int32

    var description: String { "cannot \(operation) \(path): \(String(cString: strerror(code)))" }
}

package enum FileBytes {
    package static func append(_ bytes: [UInt8], to path: String) throws { try write(bytes, to: path, flags: O_APPEND) }

    package static func replace(_ path: String, with text: String) throws {
        try write(Array(text.utf8), to: path, flags: O_TRUNC)
    }

    /// The whole of a small file; nil when it cannot be read.
    package static func text(_ path: String) -> String? {
        let file = waybill_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(file, &bytes, bytes.count)
        return count >= 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }

    private static func write(_ bytes: [UInt8], to path: String, flags: Int32) throws {
        let file = waybill_open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0o644)
        guard file >= 0 else { throw FileError(operation: "open", path: path, code: errno) }
        defer { close(file) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            guard count > 0 else { throw FileError(operation: "write", path: path, code: errno) }
            rest = rest.dropFirst(count)
        }
    }
}
