import CLinux
import Glibc

struct FileError: Error, CustomStringConvertible {
    let operation: String
    let path: String
    let code: Int32

    var description: String { "cannot \(operation) \(path): \(String(cString: strerror(code)))" }
}

enum FileBytes {
    static func append(_ bytes: [UInt8], to path: String) throws { try write(bytes, to: path, flags: O_APPEND) }

    static func replace(_ path: String, with text: String) throws { try write(Array(text.utf8), to: path, flags: O_TRUNC) }

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
