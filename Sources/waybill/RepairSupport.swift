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
    let control: ControlOptions
    let asJSON: Bool
    private static let lookInterval: Int32 = 200

    init(_ control: ControlOptions, asJSON: Bool) {
        self.control = control
        self.asJSON = asJSON
    }

    /// What the order would do; a refusal ends it with exit 5.
    func plan(_ target: String) throws -> RepairDocument { try order(target + "&dry_run=1") }

    func order(_ target: String) throws -> RepairDocument {
        try control.order(
            RepairDocument.self, target, otherwise: "this cannot be sent again",
            "see waybill outbox for what is kept, and agent.conf for who may be answered")
    }

    /// Waits for the end. Ctrl-C ends the waiting, not the work.
    func follow(_ document: RepairDocument) throws {
        guard var state = document.state else { return }
        let interruption = Interruption()
        var progress = ProgressReport()
        if !asJSON { printError("order \(state.id); Ctrl-C ends the waiting, the agent goes on") }
        while state.status == .waiting || state.status == .running {
            if interruption.wait(milliseconds: Self.lookInterval) { throw leave(state, &progress) }
            state = try asking { try control.client.get(RepairState.self, "/v1/repairs/\(state.id)") }
            progress.show(state.sent, of: state.total)
        }
        progress.end()
        if asJSON { try printJSON(state) } else { printLine(words(state)) }
        if state.status == .failed { throw state.sent > 0 ? Exit.partlyDone : Exit.failed }
    }

    private func leave(_ state: RepairState, _ progress: inout ProgressReport) -> ExitCode {
        progress.end()
        printError("not waiting any more; the agent goes on with order \(state.id), \(state.sent) sent so far")
        printError("  what becomes of it: waybill audit")
        return Exit.interrupted
    }

    private func words(_ state: RepairState) -> String {
        state.status == .done
            ? "done: \(state.sent) sent" : "failed after \(state.sent): \(state.reason ?? "no reason given")"
    }
}
