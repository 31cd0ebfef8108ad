import Foundation
import SeededRandom
import Testing

@testable import Ingest

/// What a dropped file holds, and what is refused before it fills a disk or a queue.
struct ArchiveTests {
    private let directory: Export
    private static let text = (0..<900).flatMap { Array("T-\($0);SH;\($0 * 7_919 % 1_000);W1\r\n".utf8) }

    init() throws { directory = try Export() }

    private func file(_ bytes: [UInt8], _ name: String = "moves.csv") throws -> TailFile {
        let path = directory.directory + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return try #require(TailFile(path: path))
    }

    private func content(
        _ bytes: [UInt8], _ name: String = "moves.csv", bounds: ExpansionBounds = ExpansionBounds()
    ) throws -> [UInt8] {
        let content = try Archive.content(of: try file(bytes, name), scratch: directory.directory, bounds: bounds)
        return content.read(at: 0, most: 64 << 20)
    }

    /// The code of what is refused; nil when it is not.
    private func refusal(
        _ bytes: [UInt8], _ name: String = "moves.csv", bounds: ExpansionBounds = ExpansionBounds()
    ) throws -> String? {
        do {
            _ = try content(bytes, name, bounds: bounds)
            return nil
        } catch let error as ArchiveError { return error.code }
    }

    private func zip(_ change: (inout Packing.Member) -> Void = { _ in }, wideEnd: Bool = false) -> [UInt8] {
        var member = Packing.Member(content: Self.text)
        change(&member)
        return Packing.zip([member], wideEnd: wideEnd)
    }

    @Test func `what is not packed is itself, under any name`() throws {
        #expect(try content(Self.text) == Self.text)
        #expect(try content([], "empty.csv") == [])
        #expect(try content(Array("PK".utf8), "short.txt") == Array("PK".utf8))
    }

    @Test func `gzip is known by its first bytes, and its members follow one another`() throws {
        #expect(try content(Packing.gzip(Self.text)) == Self.text)
        let two = Packing.gzip(Self.text) + Packing.gzip([]) + Packing.gzip(Self.text)
        #expect(try content(two, "x.gz") == Self.text + Self.text)
        #expect(try content(Packing.gzip(Self.text) + [0, 0, 0], "x.gz") == Self.text)
        #expect(try content(Packing.gzip([]), "x.gz") == [])
    }

    @Test func `zip is read deflated and stored, with and without zip64, beside directories and Apple's notes`() throws
    {
        let plain = [
            zip(), zip { $0.method = 0 }, zip { $0.isWide = true }, zip(wideEnd: true),
            Packing.zip([Packing.Member(content: Self.text)], comment: "by the ERP"),
            Packing.zip([
                Packing.Member(name: "out/", method: 0), Packing.Member(name: "out/moves.csv", content: Self.text),
                Packing.Member(name: "__MACOSX/out/._moves.csv", content: [1, 2, 3]),
            ]),
        ]
        for (index, bytes) in plain.enumerated() { #expect(try content(bytes) == Self.text, "\(index)") }
        #expect(try content(zip { $0.content = [] }) == [])
    }

    @Test func `the first bytes are there without expanding the rest`() throws {
        for bytes in [Self.text, Packing.gzip(Self.text), zip(), zip { $0.method = 0 }] {
            #expect(try Archive.head(of: try file(bytes), most: 100) == Array(Self.text.prefix(100)))
        }
        let half = Packing.gzip(Self.text).prefix(2_000)
        #expect(try Archive.head(of: try file(Array(half)), most: 100) == Array(Self.text.prefix(100)))
    }

    @Test(arguments: ["gz", "zip"])
    func `an archive that ends early is refused wherever it ends`(suffix: String) throws {
        let whole = suffix == "gz" ? Packing.gzip(Self.text) : zip()
        for length in Array(stride(from: 0, to: whole.count, by: 97)) + [1, 2, 3, 4, 18, whole.count - 1] {
            let code = try refusal(Array(whole.prefix(length)), "moves." + suffix)
            #expect(code == "damaged", "\(length) of \(whole.count)")
        }
    }

    @Test(arguments: ["gz", "zip"])
    func `a flipped bit is refused, or changes nothing of the content`(suffix: String) throws {
        let whole = suffix == "gz" ? Packing.gzip(Self.text) : zip()
        var random = Seeded()
        let places =
            Array(0..<60) + Array(whole.count - 120..<whole.count)
            + (0..<200).map { _ in
                Int.random(in: 0..<whole.count, using: &random)
            }
        for place in places {
            var bytes = whole
            bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
            do {
                let found = try content(bytes, "moves." + suffix)
                #expect(found == Self.text, "byte \(place), seed \(random.seed)")
            } catch is ArchiveError {}
        }
    }

    @Test func `a bomb is refused while it expands, and a small one is none`() throws {
        let zeros = [UInt8](repeating: 0x20, count: 4 << 20)
        #expect(try refusal(Packing.gzip(zeros)) == "bomb")
        #expect(try refusal(zip { $0.content = zeros }) == "bomb")
        #expect(try refusal(zip { ($0.content, $0.size) = (zeros, 5_000) }) == "damaged")
        #expect(try content(Packing.gzip(Array(zeros.prefix(1 << 20)))).count == 1 << 20)
    }

    @Test func `more than the bound and a full disk are told apart`() throws {
        var small = ExpansionBounds()
        small.most = 1_000
        #expect(try refusal(Packing.gzip(Self.text), bounds: small) == "too_large")
        #expect(try refusal(zip(), bounds: small) == "too_large")
        var full = ExpansionBounds()
        full.reserve = 1 << 60
        #expect(try refusal(Packing.gzip(Self.text), bounds: full) == "no_room")
        #expect(try refusal(zip { $0.method = 0 }, bounds: full) == "no_room")
        let packed = try file(Packing.gzip(Self.text))
        #expect(throws: ArchiveError("scratch", "is packed, and there is no place to expand it")) {
            try Archive.content(of: packed, scratch: nil)
        }
    }

    @Test func `what cannot be read of a zip is refused by its kind`() throws {
        let refused: [(String, [UInt8])] = [
            ("encrypted", zip { $0.flags = 1 }), ("encrypted", zip { $0.method = 99 }),
            ("unsupported", zip { $0.method = 12 }), ("empty", Packing.zip([])),
            ("empty", Packing.zip([Packing.Member(name: "out/", method: 0)])),
            ("several", Packing.zip([Packing.Member(name: "a.csv"), Packing.Member(name: "b.csv")])),
            ("damaged", zip { $0.size = 5 }), ("damaged", zip { $0.size = 1 << 20 }),
            ("damaged", zip { $0.packedSize = 5 }), ("damaged", zip { $0.packedSize = 1 << 30 }),
            ("damaged", zip { $0.checksum = 5 }),
            ("damaged", zip { ($0.method, $0.size) = (0, 5) }),
        ]
        for (code, bytes) in refused { #expect(try refusal(bytes) == code) }
    }

    @Test func `a zip whose two headers differ is damaged`() throws {
        var bytes = zip()
        bytes[30] = UInt8(ascii: "M")
        #expect(try refusal(bytes) == "damaged")
    }

    @Test func `what another program zipped is read alike`() throws {
        let path = directory.directory + "/by-python.zip"
        let script = """
            import sys, zipfile
            with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:
                z.mkdir("out") if hasattr(z, "mkdir") else z.writestr("out/", b"")
                with z.open("out/moves.csv", "w", force_zip64=True) as f:
                    f.write(b"a;b\\n1;2\\n" * 400)
            """
        let python = Process()
        python.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        python.arguments = ["python3", "-c", script, path]
        try python.run()
        python.waitUntilExit()
        try #require(python.terminationStatus == 0)
        let content = try Archive.content(of: try #require(TailFile(path: path)), scratch: directory.directory)
        #expect(content.read(at: 0, most: 1 << 20) == Array(String(repeating: "a;b\n1;2\n", count: 400).utf8))
    }
}
