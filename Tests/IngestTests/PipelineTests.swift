import Foundation
import Ingest
import Inventory
import OwnThread
import Testing

@Suite(.ownThread) struct PipelineTests {
    private let export: Export
    private let header = "code;item;qty\n"

    init() throws { export = try Export() }

    @Test func `a torn last line waits for its newline`() throws {
        let pipeline = try export.pipeline()
        try export.append(header + "RC;1;5\nRC;2;")
        #expect(skus(try export.drain(pipeline)) == ["1"])
        try export.append("7\n")
        #expect(skus(try export.drain(pipeline)) == ["2"])
    }

    @Test func `a missing file is waited for, in words`() throws {
        let pipeline = try export.pipeline()
        let read = try pipeline.read(maxBytes: 1 << 20, now: Timestamp(milliseconds: 0), monotonic: 0)
        #expect(read.status.hasPrefix("waiting: "))
        try export.append(header + "RC;1;5\n")
        #expect(skus(try export.drain(pipeline)) == ["1"])
    }

    @Test func `what is no file, or may not be read, is waited for with its reason`() throws {
        let pipeline = try export.pipeline()
        try FileManager.default.createDirectory(atPath: export.path, withIntermediateDirectories: true)
        let read = try pipeline.read(maxBytes: 1 << 20, now: Timestamp(milliseconds: 0), monotonic: 0)
        #expect(read.status == "waiting: \(export.path): Is a directory")
        try FileManager.default.removeItem(atPath: export.path)
        try FileManager.default.createSymbolicLink(atPath: export.path, withDestinationPath: export.path)
        let looped = try pipeline.read(maxBytes: 1 << 20, now: Timestamp(milliseconds: 0), monotonic: 0)
        #expect(looped.status == "waiting: \(export.path): Too many levels of symbolic links")
        try FileManager.default.removeItem(atPath: export.path)
        try export.append(header + "RC;1;5\n")
        #expect(skus(try export.drain(pipeline)) == ["1"])
    }

    @Test func `every bad input becomes a reject with its own reason, and the records around it go on`() throws {
        let bad = [
            "RC;2;5;9": "ragged", "ZZ;3;5": "unmapped", "RC;4;many": "quantity", "RC;5;1234567890123": "overflow",
            "RC;;5": "sku", "RC;7;-5": "negative", "RC;8;1,0000001": "quantity", "RC;a\u{1F}b;5": "stock_key",
        ]
        for (line, code) in bad {
            let export = try Export()
            try export.append(header + "RC;1;5\n\(line)\nRC;9;5\n")
            #expect(skus(try export.drain(try export.pipeline())) == ["1", "!" + code, "9"], "\(line)")
        }
    }

    @Test func `a restart goes on where the checkpoint stands, without loss or repeat`() throws {
        try export.append(header + "RC;1;5\n")
        #expect(skus(try export.drain(try export.pipeline())) == ["1"])
        try export.append("RC;2;5\n")
        #expect(skus(try export.drain(try export.pipeline())) == ["2"])
    }

    @Test func `a renamed file is read to its end before the new one`() throws {
        let pipeline = try export.pipeline()
        try export.append(header + "RC;1;5\n")
        _ = try export.drain(pipeline)
        try export.append("RC;2;5\n")
        try export.rename(to: "moves.csv.1")
        try export.append(header + "RC;3;5\n")
        #expect(skus(try export.drain(pipeline)) == ["2", "3"])
    }

    @Test func `files rotated twice while the agent was down are all read, oldest first`() throws {
        try export.append(header + "RC;1;5\n")
        _ = try export.drain(try export.pipeline())
        try export.append("RC;2;5\n")
        try export.rename(to: "moves.csv.2")
        try export.append(header + "RC;3;5\n")
        try export.rename(to: "moves.csv.1")
        try export.append(header + "RC;4;5\n")
        #expect(skus(try export.drain(try export.pipeline())) == ["2", "3", "4"])
    }

    @Test func `a rotated file's last line counts without a newline when its linger is over`() throws {
        let pipeline = try export.pipeline()
        try export.append(header + "RC;1;5\nRC;2;5")
        _ = try export.drain(pipeline)
        try export.rename(to: "moves.csv.1")
        try export.append(header + "RC;3;5\n")
        #expect(skus(try export.drain(pipeline)) == ["3"])
        #expect(skus(try export.drain(pipeline, at: 59_999)).isEmpty)
        #expect(skus(try export.drain(pipeline, at: 60_000)) == ["2"])
    }

    @Test(arguments: [false, true])
    func `lines that reach a renamed file after its successor began are read`(restarts: Bool) throws {
        var pipeline = try export.pipeline()
        try export.append(header + "RC;1;5\n")
        _ = try export.drain(pipeline)
        try export.rename(to: "moves.csv.1")
        try export.append(header + "RC;3;5\n")
        #expect(skus(try export.drain(pipeline)) == ["3"])
        if restarts { pipeline = try export.pipeline() }
        try export.append("RC;2;5\n", to: "moves.csv.1")
        try export.append("RC;4;5\n")
        #expect(skus(try export.drain(pipeline)) == ["2", "4"])
        #expect(skus(try export.drain(pipeline)).isEmpty)
    }

    @Test func `files rotated faster than they are read are all read, oldest first`() throws {
        let pipeline = try export.pipeline()
        try export.append(header + "RC;1;5\n")
        _ = try export.drain(pipeline)
        for file in 2...5 {
            try export.rename(to: "moves.csv.\(file)")
            try export.append(header + "RC;\(file);5\n")
            _ = file == 3 ? skus(try export.drain(pipeline)) : []
        }
        #expect(skus(try export.drain(pipeline)) == ["4", "5"])
    }

    @Test func `what was rotated away before the first start is not read`() throws {
        try export.append(header + "RC;1;5\n")
        try export.rename(to: "moves.csv.1")
        try export.append(header + "RC;2;5\n")
        #expect(skus(try export.drain(try export.pipeline())) == ["2"])
        try export.rename(to: "moves.csv.2")
        try export.append(header + "RC;3;5\n")
        #expect(skus(try export.drain(try export.pipeline())) == ["3"])
    }

    @Test func `a copy that was taken before the file was truncated is read to its end`() throws {
        let pipeline = try export.pipeline()
        try export.append(header + "RC;1;5\n")
        _ = try export.drain(pipeline)
        try export.append("RC;2;5\n")
        try FileManager.default.copyItem(atPath: export.path, toPath: export.path + ".1")
        try export.replace(header + "RC;3;5\n")
        #expect(skus(try export.drain(pipeline)) == ["2", "3"])
    }

    @Test func `a restart inside a line that is too long goes on skipping it`() throws {
        try export.append(header + "RC;1;5\n" + String(repeating: "x", count: 3 << 20))
        #expect(skus(try export.drain(try export.pipeline())) == ["1", "!too_long"])
        try export.append("RC;9;5\nRC;2;5\n")
        #expect(skus(try export.drain(try export.pipeline())) == ["2"])
    }

    @Test func `a hole of NUL bytes waits for its data and is rejected only after a minute`() throws {
        let pipeline = try export.pipeline()
        try export.append(header + "RC;1;5\n\0\0\0\0\0\0\nRC;2;5\n")
        #expect(skus(try export.drain(pipeline)) == ["1"])
        #expect(skus(try export.drain(pipeline, at: 59_999)).isEmpty)
        #expect(skus(try export.drain(pipeline, at: 60_000)) == ["!nul", "2"])
    }

    @Test func `a source that begins at the end reads the header and the torn last line`() throws {
        try export.append(header + "RC;1;5\nRC;2;")
        let pipeline = try export.pipeline { $0.startsAtEnd = true }
        #expect(skus(try export.drain(pipeline)).isEmpty)
        try export.append("5\nRC;3;5\n")
        #expect(skus(try export.drain(pipeline)) == ["2", "3"])
    }

    @Test func `flush_after releases a last line without a newline`() throws {
        let pipeline = try export.pipeline { $0.flushAfter = 500 }
        try export.append(header + "RC;1;5")
        #expect(skus(try export.drain(pipeline)).isEmpty)
        #expect(skus(try export.drain(pipeline, at: 499)).isEmpty)
        #expect(skus(try export.drain(pipeline, at: 500)) == ["1"])
        try export.append("\nRC;2;5\n")
        #expect(skus(try export.drain(pipeline, at: 500)) == ["2"])
    }

    @Test func `a file that was truncated and grew past the old offset is read from its first byte`() throws {
        let pipeline = try export.pipeline()
        try export.append(header + "RC;1;5\n")
        _ = try export.drain(pipeline)
        try export.replace(header + "RC;8;5\nRC;9;5\nRC;10;5\n")
        #expect(skus(try export.drain(pipeline)) == ["8", "9", "10"])
    }

    @Test func `a predecessor that is gone is reported as a loss`() throws {
        try export.append(header + "RC;1;5\n")
        _ = try export.drain(try export.pipeline())
        try FileManager.default.removeItem(atPath: export.path)
        try export.append(header + "RC;2;5\n")
        let read = try export.pipeline().read(maxBytes: 1 << 20, now: Timestamp(milliseconds: 0), monotonic: 0)
        #expect(read.notices.contains { $0.contains("gone") })
        let types = (read.batch?.records ?? []).flatMap { record -> [EventType] in
            if case .events(let drafts) = record.outcome { return drafts.map(\.type) }
            return []
        }
        #expect(types == [.sourceLoss, .received])
    }

    @Test func `the same files read again give the same ids, and a rotation gives new ones`() throws {
        try export.append(header + "RC;1;5\n")
        let first = try export.drain(try export.pipeline(fresh: true)).map(\.identity.text)
        let again = try export.drain(try export.pipeline(fresh: true)).map(\.identity.text)
        #expect(first == again)
        try export.rename(to: "moves.csv.1")
        try export.append(header + "RC;1;5\n")
        #expect(try export.drain(try export.pipeline()).map(\.identity.text) != first)
    }

    @Test func `a bad record is rejected with its reason and the rest goes on`() throws {
        try export.append(header + "RC;1\nZZ;2;5\nRC;3;abc\nXX;4;5\nRC;5;1.234,5-\nRC;6;1\n")
        let records = skus(try export.drain(try export.pipeline()))
        #expect(records == ["!ragged", "!unmapped", "!quantity", "-", "!negative", "6"])
    }

    @Test func `a line of five megabytes is rejected once and the next one is read`() throws {
        try export.append(header + "RC;1;5\n" + String(repeating: "x", count: 5 << 20) + "\nRC;2;5\n")
        #expect(skus(try export.drain(try export.pipeline())) == ["1", "!too_long", "2"])
    }

    @Test func `a quote that is never closed costs its own line, not the rest of the file`() throws {
        let lines = (0..<150_000).map { "RC;\($0);5" }.joined(separator: "\n")
        try export.append(header + "RC;\"1;5\n" + lines + "\n")
        let records = skus(try export.drain(try export.pipeline()))
        #expect(records.first == "!quote")
        #expect(records.count == 150_001 && records.last == "149999")
    }

    @Test func `a quoted field spans lines, also when it arrives in two pieces`() throws {
        let pipeline = try export.pipeline()
        try export.append(header + "RC;\"1\n")
        #expect(try export.drain(pipeline).isEmpty)
        try export.append("2\";5\nRC;3;5\n")
        #expect(skus(try export.drain(pipeline)) == ["1\n2", "3"])
    }
}
