import Foundation
import Ingest
import Testing

@testable import Agent

/// `waybill try`: from a sample to a draft that works, what a mapping leaves out, and what another would change.
struct DraftTests {
    private let site: AgentSite

    init() throws { site = try AgentSite() }

    private func write(_ text: String, _ name: String) throws -> String {
        let path = site.directory + "/" + name
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    private func moves(code: String = "RC") -> String {
        "txn_no;code;date;time;item;whse;bin;qty\n"
            + (0..<30).map { row in
                "T\(row);\([code, "SH", "ZZ"][row % 3]);2026112\(row % 9);0914\(10 + row);A\(row % 4);W1;B\(row % 3);\(row),5\n"
            }.joined()
    }

    /// Loads the draft, and runs its own sample through it.
    private func trial(_ path: String) throws -> (Configuration, TrialSummary) {
        let draft = try DraftText(file: path, asWhole: true).text
        let configuration = try Configuration.parse(
            draft, file: "draft.conf", directory: site.directory, environment: [:])
        return (configuration, try Trial(configuration, source: nil).run(file: path))
    }

    @Test func `a draft of movements loads as it is, and its sample becomes events`() throws {
        let (configuration, summary) = try trial(try write(moves(), "moves_20261126.csv"))
        #expect(configuration.sources[0].path.hasSuffix("/moves_{yyyyMMdd}.csv"))
        #expect(configuration.sources[0].name == "moves")
        #expect(summary.eventsByType == ["stock.received": 10, "stock.shipped": 10])
        #expect(summary.rejectsByCode.mapValues(\.count) == ["unmapped": 10])
        #expect(summary.unusedColumns.isEmpty)
    }

    @Test func `a second in the file's name makes it a drop, whatever is in it`() throws {
        let (configuration, summary) = try trial(try write(moves(), "moves_20261126120000_00249.csv"))
        #expect(configuration.sources[0].path.hasSuffix("/moves_{yyyyMMddHHmmss}_{seq}.csv"))
        #expect(configuration.sources[0].drop != nil && configuration.sources[0].drop?.full == nil)
        #expect(summary.events == 20)
    }

    @Test func `codes that nobody knows stay out, but one shows the draft`() throws {
        let text = moves(code: "Q1").replacing("SH", with: "Q2")
        let (_, summary) = try trial(try write(text, "moves.csv"))
        #expect(summary.eventsByType == ["stock.adjusted": 10])
    }

    @Test func `a stock list becomes a drop of full exports, packed or not`() throws {
        let text = "sku,bin,on hand,status\n" + (0..<30).map { "S\($0),A\($0 % 5),\($0),\($0 % 2)\n" }.joined()
        let path = try write(text, "stock.csv")
        let gzip = Process()
        gzip.executableURL = URL(fileURLWithPath: "/usr/bin/gzip")
        gzip.arguments = ["-k", path]
        try gzip.run()
        gzip.waitUntilExit()
        for path in [path, path + ".gz"] {
            let (configuration, summary) = try trial(path)
            #expect(configuration.sources[0].drop?.full != nil)
            #expect(summary.eventsByType == ["stock.level": 30] && summary.unusedColumns == ["status"])
        }
    }

    private static let details = (0..<30).map { row in
        let quantity = "\(row * 40)"
        let blanks = String(repeating: " ", count: 8 - quantity.utf8.count)
        return "DET\(row % 2 == 0 ? "RC" : "SH") 202611260\(91_400 + row) ITEM\(row % 7)  \(blanks)\(quantity) EA\n"
    }.joined()
    private static let objects = (0..<30).map { row in
        #"{"id": \#(row), "type": "receipt", "item": {"code": "S\#(row % 4)"}, "qty": \#(row), "order": null}"# + "\n"
    }.joined()
    private static let records = (0..<30).map { "D;ART\($0 % 5);\($0),5;RC\n" }.joined()

    @Test(arguments: [
        "HDR20261126WMS1\n\(details)TRL      30\n", details.replacing("DET", with: ""), objects,
        "H;20261126;WMS1\n\(records)T;30\n",
    ])
    func `a draft of columns by position, of JSON lines and of record types works too`(text: String) throws {
        let (_, summary) = try trial(try write(text, "moves.txt"))
        #expect(summary.events == 30 && summary.rejects == 0, "\(summary.lines)")
    }

    @Test func `a draft of EBCDIC records with packed decimals works too`() throws {
        let path = site.directory + "/moves.dat"
        let letters: [UInt8] = [0xD9, 0xC3, 0x40, 0xC9, 0xE3, 0xC5, 0xD4]
        let bytes = (0..<60).flatMap { row -> [UInt8] in
            let digits = String(row * 37 + 10_000).utf8.map { $0 - 0x30 }.dropFirst(2)
            let packed = [digits[2] * 16 + digits[3], digits[4] * 16 + 0xC]
            return letters + "\(1_000 + row % 9)".utf8.map { $0 + 0xC0 } + [0x40, 0x40] + packed + [0xC5, 0xC1]
        }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let (configuration, summary) = try trial(path)
        #expect(configuration.sources[0].format.length == 17)
        #expect(summary.eventsByType == ["stock.received": 60] && summary.rejects == 0, "\(summary.lines)")
    }

    @Test func `hostile names and values stay within their strings and comments`() throws {
        let names = ["item\"\\", "qty]", "type'", "Menge #\u{7}", "line\u{2028}", "date\u{1B}[31m"]
        let text =
            names.map { "\"\($0.replacing("\"", with: "\"\""))\"" }.joined(separator: ";") + "\n"
            + (0..<300).map { "A\($0);\($0);it's\\;\($0),5;\u{2028};x\"y\n" }.joined()
        let path = try write(text, "odd [name] \"x\".csv")
        let draft = try DraftText(file: path, asWhole: true).text
        #expect(!draft.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
        do {
            _ = try Configuration.parse(draft, file: "draft.conf", directory: site.directory, environment: [:])
        } catch let error as ConfigurationError {
            #expect(error.problems.allSatisfy { $0.contains("[[source.event]]") }, "\(error)\n\(draft)")
        }
    }

    // MARK: the command

    @Test func `without a configuration a draft is printed, and with it the sample becomes events`() throws {
        let path = try write(moves(), "moves.csv")
        let draft = try Program.run(["try", "--propose", "--config", site.directory + "/none.conf", path])
        #expect(draft.code == 0 && draft.errors.contains("TODO"), "\(draft)")
        let conf = try write(draft.out, "draft.conf")
        let answer = try Program.run(["try", "--config", conf, path])
        #expect(answer.code == 1)
        #expect(answer.out.split(separator: "\n").count == 30)
        #expect(answer.out.contains("stock.received sku=A0 quantity=0.5 [W1-B0].unrestricted+0.5"), "\(answer.out)")
        #expect(answer.errors.contains("30 records: 20 events, 10 rejects, 0 ignored"))
        #expect(answer.errors.contains("10 rejected as unmapped, first moves.csv:"))
        let json = try Program.run(["try", "--config", conf, "--json", path])
        let last = try #require(json.out.split(separator: "\n").last)
        #expect(last.hasPrefix(#"{"summary":{"events":{"stock.received":10,"stock.shipped":10}"#), "\(last)")
        #expect(json.errors.isEmpty)
        let piece = try Program.run(["try", "--propose", "--config", conf, path])
        #expect(piece.out.contains("[[source]]") && !piece.out.contains("[site]"))
    }

    @Test func `a file that holds nothing to draft from says so, with exit 1`() throws {
        var bytes = Data((0..<5_000).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 / 256 &* 91) })
        bytes[0] = 1
        let garbage = site.directory + "/garbage.bin"
        try bytes.write(to: URL(fileURLWithPath: garbage))
        for (path, words) in [
            (garbage, "no text in any known encoding"), (try write("", "empty.csv"), "is empty"),
            (site.directory + "/missing.csv", "No such file"), (try write("x", "torn.gz"), "does not begin as a .gz"),
        ] {
            let answer = try Program.run(["try", "--propose", path])
            #expect(answer.code == 1 && answer.out.isEmpty)
            #expect(answer.errors.contains("no draft can be made of \(path)") && answer.errors.contains(words))
        }
    }

    @Test func `a difference between two mappings is shown record by record, with exit 1`() throws {
        let sample = try write(moves(), "moves.csv")
        let old = try DraftText(file: sample, asWhole: true).text
        let before = try write(old, "old.conf")
        let same = try Program.run(["try", "--config", before, "--diff", before, sample])
        #expect(same.code == 0 && same.out.isEmpty)
        #expect(same.errors.contains("30 records stay, 0 change"))
        let after = try write(
            old.replacing("Lager", with: "").replacing("whse || '-' || bin", with: "bin").replacing(
                "'SH'", with: "'ZZ'"), "new.conf")
        let answer = try Program.run(["try", "--config", after, "--diff", before, sample])
        #expect(answer.code == 1)
        #expect(answer.errors.contains("0 records stay, 30 change"), "\(answer.errors)")
        #expect(answer.out.contains("- stock.received sku=A0 quantity=0.5 [W1-B0].unrestricted+0.5"))
        #expect(answer.out.contains("+ stock.received sku=A0 quantity=0.5 [B0].unrestricted+0.5"))
        #expect(answer.out.split(separator: "\n").count == 60)
        let other = try write(
            old.replacing("delimiter = \";\"", with: "delimiter = \";\", quote = \"'\""), "quote.conf")
        #expect(try Program.run(["try", "--config", other, "--diff", before, sample]).code == 0)
    }
}
