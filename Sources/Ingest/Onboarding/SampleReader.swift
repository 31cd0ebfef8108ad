package import Inventory

/// A complete sample, packed or not, through a source's format and mapping. It stores nothing.
package final class SampleReader {
    private let mapping: Mapping
    private let name: String
    private let now: Timestamp
    private var stream: RecordStream
    private var waiting: ArraySlice<CapturedRecord> = []
    private var isDone = false
    private var columns: [String] = []

    private static let pieceBytes = 256 << 10

    /// `scratch`: where a packed sample is expanded.
    package init(
        _ definition: SourceDefinition, site: SiteIdentity, rules: InventoryRules, path: String, scratch: String,
        now: Timestamp
    ) throws {
        guard let file = TailFile(path: path) else {
            throw IngestError("\(path) cannot be opened", hint: "check the path and its rights")
        }
        let content: TailFile
        do throws(ArchiveError) { content = try Archive.content(of: file, scratch: scratch) } catch {
            throw IngestError("\(path) \(error)", hint: "give one file, plain, or packed with gzip or zip")
        }
        stream = try RecordStream(content, format: definition.format)
        mapping = try Mapping(
            definition.mapping, site: site, source: definition.name, rules: rules, timeZone: definition.timeZone)
        name = file.name
        self.now = now
    }

    /// Nil after the last one.
    package func next() throws -> CapturedRecord? {
        while waiting.isEmpty, !isDone {
            var records: [CapturedRecord] = []
            isDone = try !stream.read(bytes: Self.pieceBytes) { item, columns in
                if let record = try captured(item, columns) { records.append(record) }
            }
            waiting = records[...]
        }
        return waiting.popFirst()
    }

    /// Columns of what was read that no expression names.
    package var unusedColumns: [String] { columns.filter { !mapping.names($0) } }

    private func captured(_ item: DecodedItem, _ columns: [String]) throws -> CapturedRecord? {
        self.columns = columns
        switch item {
        case .record(let record):
            try mapping.compile(columns: columns)
            return mapping.map(
                record, fallbackIdentity: "sample:\(record.offset)", object: name, capturedAt: now)
        case .notice: return nil
        case .reject(let offset, let bytes, let reason):
            return CapturedRecord(
                identity: RecordIdentity(
                    text: "sample:\(offset)", recordHash: Digest(sha256: bytes), isTracked: false),
                outcome: .reject(reason), bytes: bytes, position: RecordPosition(object: name, offset: offset))
        }
    }
}

extension Mapping {
    /// Whether an expression holds this name as a word.
    fileprivate func names(_ column: String) -> Bool {
        let wanted = Array(column.lowercased().utf8)
        return expressions.contains { sql in
            let text = Array(sql.lowercased().utf8)
            guard !wanted.isEmpty, text.count >= wanted.count else { return false }
            return (0...text.count - wanted.count).contains { at in
                text[at...].starts(with: wanted) && !(at > 0 && Self.isWord(text[at - 1]))
                    && !(at + wanted.count < text.count && Self.isWord(text[at + wanted.count]))
            }
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        byte == 0x5F || byte >= 0x80 || (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
    }
}
