import Foundation
import Testing

@testable import Agent

/// A headless Chromium, driven over the WebDriver protocol (W3C).
final class Browser {
    static let isThere = ["chromedriver", "chromium"].allSatisfy {
        FileManager.default.isExecutableFile(atPath: "/usr/bin/\($0)")
    }

    private let driver: ChildProcess
    private let base: String
    private var session = ""

    init(isDark: Bool = false) throws {
        let port = try Loopback.freePort()
        base = "http://127.0.0.1:\(port)"
        driver = try ChildProcess("/usr/bin/chromedriver", ["--port=\(port)"], log: "/dev/null")
        Demo.wait(until: Clocks.monotonic() + 20_000) { (try? call("GET", "/status", nil)) != nil }
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
            + (isDark ? ["--blink-settings=preferredColorScheme=0"] : [])
        let wanted: [String: Any] = [
            "capabilities": ["alwaysMatch": ["goog:chromeOptions": ["args": arguments, "binary": "/usr/bin/chromium"]]]
        ]
        do { try begin(wanted) } catch {
            quit()
            throw error
        }
    }

    private func begin(_ wanted: [String: Any]) throws {
        let answer = try call("POST", "/session", wanted) as? [String: Any]
        session = "/session/\(answer?["sessionId"] as? String ?? "")"
    }

    func quit() {
        _ = try? call("DELETE", session, nil)
        driver.end(SIGTERM)
    }

    func open(_ address: String) throws { _ = try call("POST", session + "/url", ["url": address]) }

    func resize(width: Int, height: Int) throws {
        _ = try call("POST", session + "/window/rect", ["width": width, "height": height])
    }

    /// What a script returns.
    func evaluate(_ script: String) throws -> Any? {
        try call("POST", session + "/execute/sync", ["script": "return \(script)", "args": [Any]()])
    }

    func screenshot(to path: String) throws {
        let text = try call("GET", session + "/screenshot", nil) as? String ?? ""
        try (Data(base64Encoded: text) ?? Data()).write(to: URL(fileURLWithPath: path))
    }

    struct Failure: Error { var words: String }

    private func call(_ method: String, _ path: String, _ content: [String: Any]?) throws -> Any? {
        let body = try content.map { try JSONSerialization.data(withJSONObject: $0) } ?? Data()
        let answer = try HTTP.send(method, base + path, content: body)
        let document = try JSONSerialization.jsonObject(with: answer.body) as? [String: Any]
        guard answer.status == 200 else { throw Failure(words: answer.text) }
        return document?["value"]
    }
}

/// A request to this machine and its answer, over a connection of its own.
enum HTTP {
    struct Answer {
        var status = 0
        var headers: [String: String] = [:]
        var body = Data()
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    static func get(_ address: String, host: String? = nil) throws -> Answer {
        try send("GET", address, host: host, content: Data())
    }

    static func send(_ method: String, _ address: String, host: String? = nil, content: Data) throws -> Answer {
        let url = try #require(URLComponents(string: address))
        let port = try #require(url.port)
        guard let descriptor = Loopback.connect(port: UInt16(port)) else {
            throw Browser.Failure(words: "nobody listens at \(address)")
        }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let target =
            (url.percentEncodedPath.isEmpty ? "/" : url.percentEncodedPath) + (url.query.map { "?" + $0 } ?? "")
        let head =
            "\(method) \(target) HTTP/1.1\r\nHost: \(host ?? "127.0.0.1:\(port)")\r\nConnection: close\r\n"
            + "Content-Type: application/json\r\nContent-Length: \(content.count)\r\n\r\n"
        var rest = [UInt8](Data(head.utf8) + content)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            try #require(count > 0)
            rest = rest.dropFirst(count)
        }
        return try answer(descriptor)
    }

    private static func answer(_ descriptor: Int32) throws -> Answer {
        var (bytes, buffer) = (Data(), [UInt8](repeating: 0, count: 1 << 16))
        var answer = Answer()
        var bodyStart: Int?
        while true {
            if bodyStart == nil, let end = bytes.range(of: Data("\r\n\r\n".utf8)) {
                bodyStart = end.upperBound
                let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
                answer.status = Int(lines[0].split(separator: " ")[1]) ?? 0
                for line in lines.dropFirst() {
                    let parts = line.split(separator: ":", maxSplits: 1)
                    let value = parts.last?.trimmingCharacters(in: .whitespaces)
                    answer.headers[parts[0].lowercased()] = value
                }
            }
            if let bodyStart, let length = answer.headers["content-length"].flatMap({ Int($0) }),
                bytes.count >= bodyStart + length
            {
                break
            }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count <= 0 { break }
            bytes += buffer[..<count]
        }
        answer.body = Data(bytes[(bodyStart ?? bytes.endIndex)...])
        return answer
    }
}
