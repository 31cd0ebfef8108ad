import Agent
import ArgumentParser
import Glibc

/// Exit codes, documented and never reused.
enum Exit {
    static let failed = ExitCode(1)
    static let usage = ExitCode(2)
    static let notRunning = ExitCode(3)
    static let noPermission = ExitCode(4)
    static let noSuchThing = ExitCode(5)
    static let notConfirmed = ExitCode(6)
    static let partlyDone = ExitCode(7)
    static let configuration = ExitCode(78)
    static let interrupted = ExitCode(130)
}

func printError(_ text: String) { writeLine("waybill: \(text)", to: STDERR_FILENO) }

/// A line on stdout that a pipe shows at once.
func printLine(_ text: String) { writeLine(text, to: STDOUT_FILENO) }

/// The same; false when nobody takes it any more.
func printTaken(_ text: String) -> Bool { writeLine(text, to: STDOUT_FILENO) }

/// False when nobody takes it any more.
@discardableResult
private func writeLine(_ text: String, to descriptor: Int32) -> Bool { writeText(text + "\n", to: descriptor) }

/// The same without the line's end.
@discardableResult
func writeText(_ text: String, to descriptor: Int32) -> Bool {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        rest = rest.dropFirst(count)
    }
    return true
}

func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

func loadConfiguration(_ path: String) throws -> Configuration {
    let credentials = environment("CREDENTIALS_DIRECTORY").map { ["CREDENTIALS_DIRECTORY": $0] } ?? [:]
    return try Configuration.load(path: path, environment: credentials)
}

/// Whatever stands in the way of a start is the configuration's: said on stderr as what, why and what to do; exit 78.
func configured<T>(_ body: () throws -> T) throws -> T {
    do { return try body() } catch {
        let told = Refusal(error)
        printError(told.what)
        for why in told.whys { writeLine("  \(why)", to: STDERR_FILENO) }
        writeLine("  \(told.remedy)", to: STDERR_FILENO)
        throw Exit.configuration
    }
}
