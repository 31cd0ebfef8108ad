import CLinux
import FoundationEssentials
import Glibc

/// Asks a running agent over its control socket (HTTP/1.1, RFC 9112, one request a connection).
package struct ControlClient {
    package enum Failure: Error, Equatable {
        case notRunning(path: String)
        case notPermitted(path: String)
        case noSuchThing
        case failed(String)
    }

    private let path: String

    /// What an agent that is well answers at once, it answers within this many seconds.
    package static let patience = 10

    package init(path: String) { self.path = path }

    /// Fails when no answer comes within 10 s.
    package func get<T: Decodable>(_ type: T.Type, _ target: String) throws -> T {
        try first(type) { try each(target, seconds: Self.patience, $0) }
    }

    /// `content`: what the request carries, at most 1 MiB. Waits as long as the work takes.
    package func post<T: Decodable>(_ type: T.Type, _ target: String, content: [UInt8] = []) throws -> T {
        try first(type) { try each(target, method: "POST", content: content, $0) }
    }

    private func first<T: Decodable>(_ type: T.Type, _ ask: ((String) -> Void) throws -> Void) throws -> T {
        var lines: [String] = []
        try ask { lines.append($0) }
        guard let first = lines.first else { throw Failure.failed("an empty answer") }
        return try JSONDecoder().decode(type, from: Data(first.utf8))
    }

    /// The answer's lines; fails when none comes within `seconds`.
    package func lines(_ target: String, seconds: Int = patience) throws -> [String] {
        var found: [String] = []
        try each(target, seconds: seconds) { found.append($0) }
        return found
    }

    /// Hands on each line as it arrives, until the agent ends the answer. `seconds`: the longest silence; nil: any.
    package func each(
        _ target: String, method: String = "GET", content: [UInt8] = [], seconds: Int? = nil,
        _ body: (String) throws -> Void
    ) throws {
        let descriptor = try connect(within: seconds)
        defer { close(descriptor) }
        let head = "\(method) \(target) HTTP/1.1\r\nHost: waybill\r\nContent-Length: \(content.count)\r\n"
        var request = (Array("\(head)Connection: close\r\n\r\n".utf8) + content)[...]
        while !request.isEmpty {
            let count = request.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else {
                throw Failure.failed(errno == EAGAIN ? Self.silence : "the agent closed the connection")
            }
            request = request.dropFirst(count)
        }
        var answer = HTTPAnswer()
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while !answer.isComplete {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { throw Failure.failed(Self.silence) }
            if count <= 0 { break }
            for line in try answer.take(buffer[..<count]) { try body(line) }
        }
        for line in answer.rest { try body(line) }
    }

    private static let silence = "it runs, and gives no answer"

    private func connect(within seconds: Int?) throws -> Int32 {
        switch UnixSocket.connect(path, seconds: seconds) {
        case .failure(let code) where code == EAGAIN: throw Failure.failed(Self.silence)
        case .success(let descriptor): return descriptor
        case .failure(let code) where code == ENOENT || code == ECONNREFUSED: throw Failure.notRunning(path: path)
        case .failure(let code) where code == EACCES || code == EPERM: throw Failure.notPermitted(path: path)
        case .failure(let code): throw Failure.failed("\(path): \(String(cString: strerror(code)))")
        }
    }
}

/// An HTTP/1.1 answer as it arrives: head, then a body of known length, in chunks, or up to the end.
struct HTTPAnswer {
    private enum Framing {
        case length(Int)
        case chunked, untilEnd
    }

    private var pending: [UInt8] = []
    private var framing: Framing?
    private var line: [UInt8] = []
    private(set) var isComplete = false

    /// The whole lines that these bytes complete. Throws `ControlClient.Failure` for an answer that is no success.
    mutating func take(_ bytes: ArraySlice<UInt8>) throws -> [String] {
        pending += bytes
        if framing == nil { try readHead() }
        switch framing {
        case nil: return []
        case .length(let left):
            let part = pending.prefix(left)
            pending.removeFirst(part.count)
            framing = .length(left - part.count)
            isComplete = left == part.count
            return text(part)
        case .untilEnd:
            defer { pending = [] }
            return text(pending[...])
        case .chunked: return readChunks()
        }
    }

    /// A last line without its newline.
    var rest: [String] { line.isEmpty ? [] : [String(decoding: line, as: UTF8.self)] }

    private mutating func readHead() throws {
        guard let end = pending.indices.first(where: { pending[$0...].starts(with: Array("\r\n\r\n".utf8)) }) else {
            return
        }
        let head = String(decoding: pending[..<end], as: UTF8.self).lowercased().split(separator: "\r\n")
        pending.removeFirst(end + 4)
        let status = head.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        if status == 404 { throw ControlClient.Failure.noSuchThing }
        guard (200..<300).contains(status) else { throw ControlClient.Failure.failed("the agent answered \(status)") }
        let length = head.first { $0.hasPrefix("content-length:") }?.split(separator: ":").last
        if head.contains(where: { $0.hasPrefix("transfer-encoding:") && $0.hasSuffix("chunked") }) {
            framing = .chunked
        } else if let length = length.flatMap({ Int($0.filter(\.isNumber)) }) {
            framing = .length(length)
        } else {
            framing = .untilEnd
        }
    }

    private mutating func readChunks() -> [String] {
        var found: [String] = []
        while let end = pending.firstIndex(of: 0x0A) {
            let digits = String(decoding: pending[..<end], as: UTF8.self).prefix { $0.isHexDigit }
            guard let size = Int(digits, radix: 16), pending.count >= end + 1 + size + 2 else { break }
            found += text(pending[(end + 1)..<(end + 1 + size)])
            pending.removeFirst(end + 1 + size + 2)
            if size == 0 {
                isComplete = true
                break
            }
        }
        return found
    }

    private mutating func text(_ bytes: ArraySlice<UInt8>) -> [String] {
        line += bytes
        var parts = line.split(separator: 0x0A, omittingEmptySubsequences: false)
        line = Array(parts.removeLast())
        return parts.map { String(decoding: $0, as: UTF8.self) }
    }
}
