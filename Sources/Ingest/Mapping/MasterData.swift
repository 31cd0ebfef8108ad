import CLinux
import Glibc
import Inventory
import SQLite

/// Finds and reads the file of a `[[master]]`: whole or not at all.
final class MasterFile {
    let definition: MasterDefinition
    private let pattern: DropPattern
    private let isPlain: Bool
    /// What the directory held when it was listed last, and its time of change then, in nanoseconds since 1970.
    private var listed: (newest: String?, modified: Int64)?

    /// More would be a burden to the machine.
    private static let mostRows = 300_000
    private static let piece = 1 << 20
    /// A directory that changed so recently may change again without its time telling, in nanoseconds.
    private static let coarse: Int64 = 2_000_000_000

    init(_ definition: MasterDefinition) throws {
        self.definition = definition
        let name = definition.path.fileName
        pattern = try DropPattern(name)
        isPlain = !name.contains { "*?{".contains($0) }
    }

    /// The path of the file that counts; nil: there is none, or its directory cannot be listed. A directory that stands
    /// still is not listed again: it may be a drop directory with 100,000 files.
    func newest() -> String? {
        if isPlain, access(definition.path, F_OK) == 0 { return definition.path }
        var status = stat()
        guard stat(definition.path.directory, &status) == 0 else { return nil }
        let modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
        if let listed, listed.modified == modified { return listed.newest }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var last: DropEntry?
        let listing = DropListing(definition.path.directory, pattern: pattern, settings: DropSettings()) { entry in
            if let known = last, entry.order.precedesInBytes(known.order) { return true }
            last = entry
            return true
        }
        let newest = last.map { "\(definition.path.directory)/\($0.name)" }
        let age = Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec) - modified
        listed = listing != nil && age > Self.coarse ? (newest, modified) : nil
        return newest
    }

    /// A row for each record of which no expression is NULL. Throws `IngestError` for a record that cannot be read, or a
    /// trailer that does not fit: half of the master data would make good records rejects.
    func rows() throws -> [[String]] {
        guard let path = newest(), let file = TailFile(path: path) else {
            throw IngestError(
                "\(words(definition.path)) is not there, or cannot be read", hint: "check the path and its rights")
        }
        let (size, modified) = (file.size, file.modified)
        let connection = try Self.connection()
        var query: RecordQuery?
        var columns: [String] = []
        var rows: [[String]] = []
        var stream = try RecordStream(file, format: definition.format)
        while try stream.read(
            bytes: Self.piece,
            { item, names in
                switch item {
                case .record(let record):
                    if query == nil || names != columns {
                        columns = names
                        query = try compile(names, connection, path)
                    }
                    if let row = try row(record, query, path) { rows.append(row) }
                case .reject(let offset, _, let reason):
                    throw IngestError("\(words(path)), byte \(offset): \(reason.message)", hint: "mend the line")
                case .notice: break
                }
            })
        {
            guard rows.count <= Self.mostRows else {
                throw IngestError(
                    "\(words(path)) has more than \(Self.mostRows) rows", hint: "export fewer columns or SKUs")
            }
        }
        guard file.size == size, file.modified == modified else {
            throw IngestError(
                "\(words(path)) changed while it was read", hint: "write it under another name, then rename it")
        }
        return rows
    }

    private func words(_ path: String) -> String { "master data \"\(definition.name)\" (\(path))" }

    private func compile(_ columns: [String], _ connection: Connection, _ path: String) throws -> RecordQuery {
        do {
            return try ExpressionCompiler(connection: connection, columns: columns).prepare(definition.columns)
        } catch let error as IngestError {
            throw IngestError("\(error.message), of \(words(path))", hint: error.hint)
        }
    }

    private func row(_ record: Record, _ query: RecordQuery?, _ path: String) throws -> [String]? {
        do {
            return try query?.evaluate(record) { statement in
                var row: [String] = []
                for index in definition.columns.indices {
                    guard let text = statement.text(Int32(index)) else { return nil }
                    row.append(text)
                }
                return row
            } ?? nil
        } catch let error as SQLiteError {
            let message = error.message.split(separator: "|", maxSplits: 1).last.map(String.init) ?? error.message
            throw IngestError(
                "\(words(path)), byte \(record.offset): \(message)", hint: "mend the line or the expression")
        }
    }

    private static func connection() throws -> Connection {
        let connection = try Connection(path: "", mode: .memory)
        try MappingFunctions.register(
            on: connection, zone: LocalTimeReader(try TimeZoneRules(name: "UTC")), lookups: LookupTables(),
            notes: MappingFunctions.Notes())
        Sandbox.close(connection)
        return connection
    }
}
