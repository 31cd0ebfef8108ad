import Foundation
import Ingest
import Inventory
import Testing

struct DropTests {
    private let site: DropSite
    private let header = "code;item;qty\n"

    init() throws { site = try DropSite() }

    // MARK: order and completion

    @Test func `files are read in the order of the numbers in their names, not of their letters or times`() throws {
        for number in [10, 9, 2] { try site.drop(header + "RC;\(number);1\n", as: "moves-\(number).csv") }
        #expect(skus(try site.drain()) == ["2", "9", "10"])
        try site.drop(header + "RC;11;1\n", as: "moves-11.csv")
        #expect(skus(try site.drain()) == ["11"])
    }

    @Test(arguments: [DropSettings.Order.name, .modified])
    func `more files than one look takes are read in order, each once, and an earlier one that comes late too`(
        order: DropSettings.Order
    ) throws {
        site.settings.order = order
        site.settings.mostAtOnce = 7
        for number in (101...160).shuffled() {
            let modified = Date(timeIntervalSince1970: Double(1_000 + number))
            try site.drop(header + "RC;\(number);1\n", as: "moves-\(number).csv", modified: modified)
        }
        let first = skus(try site.read().batch?.records ?? [])
        #expect(first.count >= 7)
        let late = Date(timeIntervalSince1970: 1_000)
        try site.drop(header + "RC;100;1\n", as: "moves-100.csv", modified: late)
        let all = first + skus(try site.drain())
        #expect(all.filter { $0 != "100" } == (101...160).map(String.init))
        #expect(all.count { $0 == "100" } == 1)
        #expect(skus(try site.drain()).isEmpty)
    }

    @Test func `a date in the name sorts as a date, however it is written`() throws {
        site.pattern = "moves_{ddMMyyyy}.csv"
        try site.drop(header + "RC;later;1\n", as: "moves_01022026.csv")
        try site.drop(header + "RC;earlier;1\n", as: "moves_31012026.csv")
        #expect(skus(try site.drain()) == ["earlier", "later"])
    }

    @Test func `a file is complete when size and time have stood still`() throws {
        site.settings.completion = .settle(10_000)
        try site.drop(header + "RC;1;1\n", as: "a.csv")
        #expect(skus(try site.drain()).isEmpty)
        #expect(site.last?.status.contains("a.csv is not complete yet") == true)
        site.clock += 5_000
        try site.drop(header + "RC;1;1\nRC;2;1\n", as: "a.csv")
        #expect(skus(try site.drain()).isEmpty)
        site.clock += 5_000
        #expect(skus(try site.drain()).isEmpty)
        site.clock += 6_000
        #expect(skus(try site.drain()) == ["1", "2"])
    }

    @Test(arguments: ["a.csv.done", "a.done", "A.CSV.DONE"])
    func `a marker says that its file is complete`(marker: String) throws {
        site.settings.completion = .marker(".done")
        site.pattern = "*.csv"
        try site.drop(header + "RC;1;1\n", as: "a.csv")
        #expect(skus(try site.drain()).isEmpty)
        try site.drop("", as: marker)
        #expect(skus(try site.drain()) == ["1"])
    }

    @Test func `a marker before its file waits for it, and one left over from an earlier file counts no more`() throws {
        site.settings.completion = .marker(".done")
        try site.drop("", as: "a.csv.done", modified: Date(timeIntervalSince1970: 1_000))
        #expect(skus(try site.drain()).isEmpty)
        try site.drop(header + "RC;1;1\n", as: "a.csv", modified: Date(timeIntervalSince1970: 2_000))
        #expect(skus(try site.drain()).isEmpty)
        try site.drop("", as: "a.csv.done", modified: Date(timeIntervalSince1970: 2_001))
        #expect(skus(try site.drain()) == ["1"])
    }

    @Test func `a complete file waits for an unfinished one before it, at most for the patience`() throws {
        site.settings.completion = .marker(".done")
        try site.drop(header + "RC;1;1\n", as: "a.csv")
        try site.drop(header + "RC;2;1\n", as: "b.csv")
        try site.drop("", as: "b.csv.done")
        #expect(skus(try site.drain()).isEmpty)
        #expect(site.last?.status == "waiting: a.csv is not complete yet")
        site.clock += 600_000
        #expect(skus(try site.drain()) == ["2"])
        #expect(site.notices.contains { $0.contains("a.csv is not complete yet; b.csv is read without it") })
        try site.drop("", as: "a.csv.done")
        #expect(skus(try site.drain()) == ["1"])
    }

    @Test func `a gap in a numbered series waits, and is then told as a loss`() throws {
        site.pattern = "moves-{seq}.csv"
        try site.drop(header + "RC;1;1\n", as: "moves-0001.csv")
        #expect(skus(try site.drain()) == ["1"])
        try site.drop(header + "RC;3;1\n", as: "moves-0003.csv")
        #expect(skus(try site.drain()).isEmpty)
        #expect(site.last?.status == "waiting: number 2 before moves-0003.csv did not come")
        site.clock += 600_000
        let records = try site.drain()
        #expect(skus(records) == ["", "3"])
        guard case .events(let drafts) = records[0].outcome else { return #expect(Bool(false)) }
        #expect(drafts[0].type == .sourceLoss)
        try site.drop(header + "RC;2;1\n", as: "moves-0002.csv")
        #expect(skus(try site.drain()) == ["2"])
        try site.drop(header + "RC;4;1\n", as: "moves-0004.csv")
        #expect(skus(try site.drain()) == ["4"])
    }

    @Test func `the missing file of a series is read in its place when it comes in time`() throws {
        site.pattern = "moves-{seq}.csv"
        try site.drop(header + "RC;1;1\n", as: "moves-0001.csv")
        _ = try site.drain()
        try site.drop(header + "RC;3;1\n", as: "moves-0003.csv")
        _ = try site.drain()
        site.restart()
        try site.drop(header + "RC;2;1\n", as: "moves-0002.csv")
        #expect(skus(try site.drain()) == ["2", "3"])
    }

    @Test func `names match in either case, and several patterns share a directory`() throws {
        site.pattern = "Moves*.CSV"
        try site.drop(header + "RC;1;1\n", as: "MOVES1.csv")
        try site.drop(header + "RC;x;1\n", as: "stock1.csv")
        try site.drop(header + "RC;x;1\n", as: "moves1.csv.tmp")
        #expect(skus(try site.drain()) == ["1"])
    }

    // MARK: again

    @Test func `the same content under another name waits for a word where records have no ids`() throws {
        try site.drop(header + "RC;1;1\n", as: "a.csv")
        #expect(skus(try site.drain()) == ["1"])
        try site.drop(header + "RC;1;1\n", as: "b.csv")
        try site.drop(header + "RC;2;1\n", as: "c.csv")
        #expect(skus(try site.drain()).isEmpty)
        #expect(site.last?.status.contains("held: b.csv has the same content as a.csv") == true)
        try site.decide(true)
        let again = try site.drain()
        #expect(skus(again) == ["1", "2"])
        #expect(Set(again.map(\.identity.text)).count == 2)
        #expect(again[0].identity.text.contains("#2:"))
    }

    @Test func `a held file that goes away is held no more`() throws {
        try site.drop(header + "RC;1;1\n", as: "a.csv")
        _ = try site.drain()
        try site.drop(header + "RC;1;1\n", as: "b.csv")
        try site.drop(header + "RC;2;1\n", as: "c.csv")
        _ = try site.drain()
        #expect(site.last?.hold != nil)
        unlink(site.inbox + "/b.csv")
        #expect(skus(try site.drain()) == ["2"])
    }

    @Test func `each unfinished file has a patience of its own`() throws {
        site.settings.completion = .marker(".done")
        try site.drop(header + "RC;1;1\n", as: "a.csv")
        _ = try site.drain()
        site.clock += 600_000
        try site.drop(header + "RC;2;1\n", as: "b.csv")
        try site.drop(header + "RC;3;1\n", as: "c.csv")
        try site.drop("", as: "c.csv.done")
        #expect(skus(try site.drain()).isEmpty)
        #expect(site.last?.status == "waiting: b.csv is not complete yet")
        try site.drop("", as: "b.csv.done")
        #expect(skus(try site.drain()) == ["2", "3"])
    }

    @Test func `what a technician rejects is refused with a reject, and the next file is read`() throws {
        try site.drop(header + "RC;1;1\n", as: "a.csv")
        _ = try site.drain()
        try site.drop(header + "RC;1;1\n", as: "b.csv")
        try site.drop(header + "RC;2;1\n", as: "c.csv")
        _ = try site.drain()
        try site.decide(false)
        #expect(skus(try site.drain()) == ["!file_rejected", "2"])
    }

    @Test func `the same content is passed over where records carry their own ids, and where it is the same name`()
        throws
    {
        site.fields[.id] = "item"
        try site.drop(header + "RC;1;1\n", as: "a.csv")
        #expect(skus(try site.drain()) == ["1"])
        try site.drop(header + "RC;1;1\n", as: "b.csv")
        try site.drop(header + "RC;1;1\n", as: "a.csv", modified: Date(timeIntervalSince1970: 5_000))
        #expect(skus(try site.drain()).isEmpty)
        #expect(site.notices.count { $0.contains("nothing of it is new") } == 2)
    }

    @Test func `the same name with other content is a correction, and is read`() throws {
        try site.drop(header + "RC;1;1\n", as: "a.csv")
        _ = try site.drain()
        try site.drop(header + "RC;1;1\nRC;2;1\n", as: "a.csv")
        #expect(skus(try site.drain()) == ["1", "2"])
    }

    // MARK: afterwards

    @Test func `files go to the archive after the commit, never over another one`() throws {
        site.settings.after = .archive
        site.settings.archive = site.directory + "/archive"
        try site.drop(header + "RC;1;1\n", as: "a.csv")
        site.clock += 1_000
        while try site.read(commits: false).batch == nil {}
        #expect(site.names(in: site.inbox) == ["a.csv"])
        site.restart()
        #expect(skus(try site.drain()) == ["1"])
        _ = try site.drain()
        #expect(site.names(in: site.inbox).isEmpty)
        try site.drop(header + "RC;2;1\n", as: "a.csv")
        _ = try site.drain()
        _ = try site.drain()
        #expect(site.names(in: site.directory + "/archive") == ["a.csv", "a.csv.1"])
    }

    @Test(arguments: [DropSettings.After.delete, .archive])
    func `what took a file's place before it was tidied away is read, not deleted`(after: DropSettings.After) throws {
        site.settings.after = after
        site.settings.archive = site.directory + "/archive"
        try site.drop(header + "RC;1;1\n", as: "a.csv")
        site.clock += 1_000
        while skus(try site.read().batch?.records ?? []).isEmpty { site.clock += 1_000 }
        // The commit is there; what follows it comes with the next look.
        try site.drop(header + "RC;2;1\n", as: "a.csv", modified: Date(timeIntervalSince1970: 9_000))
        #expect(skus(try site.drain()) == ["2"])
        _ = try site.drain()
        #expect(site.names(in: site.inbox).isEmpty)
    }

    @Test func `a refused file's successor is read, not put beside the refused one`() throws {
        site.settings.failed = site.directory + "/failed"
        try site.drop(header + (1...3_500).map { "RC;\($0);1\n" }.joined(), as: "a.csv")
        site.clock += 1_000
        var found: [String] = []
        while found.isEmpty { found += skus(try site.read().batch?.records ?? []) }
        let handle = try #require(FileHandle(forWritingAtPath: site.inbox + "/a.csv"))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: Data((header + "RC;new;1\n").utf8))
        try handle.close()
        #expect(skus(try site.drain()).last == "new")
        _ = try site.drain()
        #expect(site.names(in: site.inbox) == ["a.csv"])
    }

    @Test func `a stop between the commit and what follows it is made good`() throws {
        site.settings.after = .delete
        site.settings.completion = .marker(".done")
        try site.drop(header + "RC;1;1\n", as: "a.csv")
        try site.drop("", as: "a.csv.done")
        _ = try site.drain()
        site.restart()
        _ = try site.drain()
        _ = try site.drain()
        #expect(site.names(in: site.inbox).isEmpty)
    }

    @Test func `a file that is left is read once, over restarts`() throws {
        try site.drop(header + "RC;1;1\n", as: "a.csv")
        #expect(skus(try site.drain()) == ["1"])
        for _ in 0..<3 {
            site.restart()
            #expect(skus(try site.drain()).isEmpty)
        }
    }

    // MARK: in the middle

    @Test func `a restart in the middle of a file goes on where the commit stood`() throws {
        try site.drop(header + (1...3_500).map { "RC;\($0);1\n" }.joined(), as: "a.csv")
        var found: [String] = []
        for _ in 0..<60 {
            site.clock += 1_000
            found += skus(try site.read().batch?.records ?? [])
            // A read that is not committed is a crash.
            if found.count % 2 == 0 { try site.read(commits: false) }
            site.restart()
        }
        #expect(found == (1...3_500).map { "\($0)" })
    }

    @Test func `a file that is replaced while it is read is told as a loss, and its new content is read`() throws {
        try site.drop(header + (1...3_500).map { "RC;\($0);1\n" }.joined(), as: "a.csv")
        site.clock += 1_000
        var found: [String] = []
        while found.isEmpty { found += skus(try site.read().batch?.records ?? []) }
        let handle = try #require(FileHandle(forWritingAtPath: site.inbox + "/a.csv"))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: Data((header + "RC;new;1\n").utf8))
        try handle.close()
        let rest = skus(try site.drain())
        #expect(rest.prefix(2) == ["", "!file_changed"] && rest.last == "new", "\(rest.suffix(4))")
    }

    @Test func `a file that goes away in the middle is told as a loss`() throws {
        try site.drop(header + (1...3_500).map { "RC;\($0);1\n" }.joined(), as: "a.csv")
        site.clock += 1_000
        var found: [String] = []
        while found.isEmpty { found += skus(try site.read().batch?.records ?? []) }
        site.restart()
        unlink(site.inbox + "/a.csv")
        try site.drop(header + "RC;next;1\n", as: "b.csv")
        #expect(skus(try site.drain()) == ["", "next"])
    }

    @Test func `a directory that is not there for a while is no loss`() throws {
        try site.drop(header + (1...3_500).map { "RC;\($0);1\n" }.joined(), as: "a.csv")
        site.clock += 1_000
        var found: [String] = []
        while found.isEmpty { found += skus(try site.read().batch?.records ?? []) }
        site.restart()
        rename(site.inbox, site.inbox + "-away")
        found += skus(try site.drain())
        #expect(site.last?.status.contains("No such file") == true)
        rename(site.inbox + "-away", site.inbox)
        found += skus(try site.drain())
        #expect(found == (1...3_500).map { "\($0)" })
    }

    @Test func `small files share batches`() throws {
        for number in 1...300 { try site.drop(header + "RC;\(number);1\n", as: "m\(number).csv") }
        site.clock += 1_000
        let read = try site.read()
        // How many depends on how fast this machine is: a read comes back after a quarter of a second.
        #expect(skus(read.batch?.records ?? []).count > 20)
        #expect(skus(try site.drain()).count + skus(read.batch?.records ?? []).count == 300)
    }

    @Test func `a start at the end leaves out what is there`() throws {
        site.change = { $0.startsAtEnd = true }
        try site.drop(header + "RC;1;1\n", as: "a.csv")
        #expect(skus(try site.drain()).isEmpty)
        try site.drop(header + "RC;2;1\n", as: "b.csv")
        #expect(skus(try site.drain()) == ["2"])
        site.restart()
        #expect(skus(try site.drain()).isEmpty)
    }

    @Test func `when what it remembers is gone, files up to the checkpoint count as read`() throws {
        try site.drop(header + "RC;1;1\n", as: "m1.csv")
        _ = try site.drain()
        site.restart()
        for file in site.names(in: site.data) { unlink(site.data + "/" + file) }
        try site.drop(header + "RC;2;1\n", as: "m2.csv")
        #expect(skus(try site.drain()) == ["2"])
        site.restart()
        #expect(skus(try site.drain()).isEmpty)
    }
}
