import Agent
import ArgumentParser
import Glibc

/// Exit codes, documented and never reused.
enum Exit {
    static let failed = ExitCode(1)
    static let configuration = ExitCode(78)
}

func printError(_ text: String) { writeLine("waybill: \(text)", to: STDERR_FILENO) }

/// A line on stdout that a pipe shows at once.
func printLine(_ text: String) { writeLine(text, to: STDOUT_FILENO) }

private func writeLine(_ text: String, to descriptor: Int32) {
    let bytes = Array((text + "\n").utf8)
    _ = write(descriptor, bytes, bytes.count)
}

func loadConfiguration(_ path: String) throws -> Configuration {
    var environment: [String: String] = [:]
    if let directory = getenv("CREDENTIALS_DIRECTORY") { environment["CREDENTIALS_DIRECTORY"] = String(cString: directory) }
    return try Configuration.load(path: path, environment: environment)
}

/// Whatever stands in the way of a start is the configuration's: said on stderr, exit 78.
func configured<T>(_ body: () throws -> T) throws -> T {
    do { return try body() } catch {
        printError("\(error)")
        throw Exit.configuration
    }
}
