import Agent
import ArgumentParser
import Delivery
import FoundationEssentials
import Glibc

/// A text within a query (RFC 3986): all but unreserved characters as `%XX`.
func queryText(_ text: String) -> String {
    text.utf8.map { byte in
        let isPlain =
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || "-._~".utf8.contains(byte)
        let digits = String(byte, radix: 16, uppercase: true)
        return isPlain ? String(UnicodeScalar(byte)) : "%" + (digits.count == 1 ? "0" : "") + digits
    }.joined()
}

func query(_ members: [(String, String?)]) -> String {
    members.compactMap { name, value in value.map { "\(name)=\(queryText($0))" } }.joined(separator: "&")
}

/// Asks before what sends or deletes; exit 6 without a yes.
func confirm(_ question: String, answer: String = "yes") throws {
    printError("\(question) Type \(answer):")
    guard readLine() == answer else {
        printError("not confirmed; nothing was done")
        throw Exit.notConfirmed
    }
}

/// A repair's way from the order to its end, for `replay` and `resync`.
struct RepairRun {
    let client: ControlClient
    let asJSON: Bool

    /// What the order would do; a refusal ends it with exit 5.
    func plan(_ target: String) throws -> RepairDocument { try order(target + "&dry_run=1") }

    func order(_ target: String) throws -> RepairDocument {
        let lines = try asking { () -> [String] in
            var lines: [String] = []
            try client.each(target, method: "POST") { lines.append($0) }
            return lines
        }
        let data = Data((lines.first ?? "").utf8)
        if let refusal = try? JSONDecoder().decode(RefusalDocument.self, from: data) {
            printError("this cannot be sent again")
            printError("  \(refusal.refused)")
            printError("  see waybill outbox for what is kept, and agent.conf for who may be answered")
            throw Exit.noSuchThing
        }
        return try JSONDecoder().decode(RepairDocument.self, from: data)
    }

    /// Waits for the end. Ctrl-C ends the waiting, not the work.
    func follow(_ document: RepairDocument) throws {
        guard var state = document.state else { return }
        if !asJSON { printError("order \(state.id); Ctrl-C ends the waiting, the agent goes on") }
        var told: Int64 = -1
        while state.status == .waiting || state.status == .running {
            poll(nil, 0, 200)
            state = try asking { try client.get(RepairState.self, "/v1/repairs/\(state.id)") }
            if !asJSON, isatty(STDERR_FILENO) == 1, state.sent != told {
                told = state.sent
                printError("  \(state.sent)\(state.total.map { " of \($0)" } ?? "") sent")
            }
        }
        if asJSON { try printJSON(state) } else { printLine(words(state)) }
        if state.status == .failed { throw state.sent > 0 ? Exit.partlyDone : Exit.failed }
    }

    private func words(_ state: RepairState) -> String {
        state.status == .done
            ? "done: \(state.sent) sent" : "failed after \(state.sent): \(state.reason ?? "no reason given")"
    }
}
