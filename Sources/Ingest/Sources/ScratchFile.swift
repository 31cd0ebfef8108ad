import CLinux
import Glibc

/// Why a file cannot be expanded.
struct ArchiveError: Error, Equatable, CustomStringConvertible {
    /// `bomb`, `too_large`, `no_room`, `scratch`, `damaged`, `encrypted`, `several`, `empty` or `unsupported`.
    let code: String
    /// For a person: goes on after the file's name.
    let description: String

    init(_ code: String, _ words: String) {
        self.code = code
        description = words
    }
}

/// How much is expanded.
struct ExpansionBounds {
    /// Of the content, in bytes.
    var most: Int64 = 8 << 30
    /// The content's bytes for each packed one, beyond the first MiB. Text reaches 10, and seldom 50.
    var ratio: Int64? = 200
    /// Free disk that is left alone.
    var reserve: Int64 = 200 << 20

    static let alwaysFree: Int64 = 1 << 20

    /// What is wrong with so much content of so many packed bytes.
    func problem(_ size: Int64, packed: Int64) -> ArchiveError? {
        if size > most { return ArchiveError("too_large", "holds more than \(most) bytes") }
        guard let ratio, size > Self.alwaysFree, size / ratio > packed else { return nil }
        return ArchiveError("bomb", "expands to more than \(ratio) times its size")
    }
}

/// A file without a name that takes what is expanded, until a bound is met.
final class ScratchFile {
    private let directory: String
    private let bounds: ExpansionBounds
    private let packed: Int64
    private var descriptor: Int32
    private(set) var size: Int64 = 0
    /// Why it took no more.
    private(set) var problem: ArchiveError?

    init(in directory: String?, packed: Int64, bounds: ExpansionBounds) throws(ArchiveError) {
        guard let directory else { throw ArchiveError("scratch", "is packed, and there is no place to expand it") }
        self.directory = directory
        self.packed = packed
        self.bounds = bounds
        var template = Array("\(directory)/expanded-XXXXXX".utf8CString)
        descriptor = mkstemp(&template)
        guard descriptor >= 0 else {
            throw ArchiveError("scratch", "cannot be expanded in \(directory): \(String(cString: strerror(errno)))")
        }
        unlink(template)
        _ = waybill_fcntl_int(descriptor, F_SETFD, FD_CLOEXEC)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// False when it takes no more; `problem` says why.
    func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        size += Int64(bytes.count)
        problem = problem ?? bounds.problem(size, packed: packed)
        if problem == nil, !hasRoom(bytes.count) || !write(bytes) {
            problem = ArchiveError("no_room", "cannot be expanded: \(directory) has too little room")
        }
        return problem == nil
    }

    /// What it took, under the name of `file`.
    func finished(as file: TailFile) throws(ArchiveError) -> TailFile {
        if let problem { throw problem }
        let taken = descriptor
        descriptor = -1
        guard let content = TailFile(adopting: taken, path: file.path) else {
            throw ArchiveError("scratch", "cannot be expanded in \(directory)")
        }
        return content
    }

    private func hasRoom(_ count: Int) -> Bool {
        var status = statvfs()
        guard statvfs(directory, &status) == 0 else { return false }
        return Int64(status.f_bavail) * Int64(status.f_frsize) > bounds.reserve + Int64(count)
    }

    private func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = Glibc.write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }
}
