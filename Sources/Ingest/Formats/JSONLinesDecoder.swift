import Inventory

/// One JSON object (RFC 8259) a line; its columns are paths into it (`item.code`, `lines.0.qty`).
///
/// A text gives its characters, a number its digits as written, true and false 1 and 0, an object or an array its JSON;
/// null and what is missing are absent. What is no JSON is a reject, also where no path leads.
package struct JSONLinesDecoder: RecordDecoder {
    package let columns: [String]?
    package let framing: Framing
    private let paths: JSONPaths
    private let text: TextDecoder
    private let encoding: String

    /// Throws `IngestError` for paths that cannot be columns.
    package init(format: FormatDefinition) throws {
        guard format.length == nil else {
            throw IngestError("jsonl has lines, not records of a length", hint: "leave length out")
        }
        encoding = format.encoding
        text = try TextDecoder(encoding: encoding)
        framing = Framing(encoding: encoding)
        paths = try JSONPaths(format.columns)
        columns = paths.columns
    }

    package var state: DecoderState { DecoderState() }

    package mutating func decode(_ line: RawLine) -> DecodedItem? {
        guard var plain = text.convert(line.bytes) else {
            return .reject(line, "encoding", "bytes that are no \(encoding)")
        }
        if line.offset == 0, plain.starts(with: TextDecoder.byteOrderMark) { plain = plain.dropFirst(3) }
        if plain.allSatisfy(JSONScanner.isSpace) { return nil }
        let scan = plain.withUnsafeBytes { bytes in
            Result { () throws(JSONScanner.Fault) in try JSONScanner.scan(bytes, paths) }
        }
        switch scan {
        case .success(let scan): return .record(record(line, plain, scan))
        case .failure(let fault):
            return .reject(line, fault.code, "\(fault.message), at byte \(fault.at + 1) of the line")
        }
    }

    /// What an escape or a truth stands for follows the line's own bytes.
    private func record(_ line: RawLine, _ plain: ArraySlice<UInt8>, _ scan: JSONScanner.Scan) -> Record {
        var record = Record(offset: line.offset, bytes: line.bytes, text: plain, fields: scan.fields)
        if !scan.added.isEmpty {
            var whole: [UInt8] = []
            whole.reserveCapacity(plain.count + scan.added.count)
            whole.append(contentsOf: plain)
            whole.append(contentsOf: scan.added)
            record.text = whole[...]
        }
        let base = record.text.startIndex
        for column in record.fields.indices where record.fields[column] != Record.absent {
            let field = record.fields[column]
            record.fields[column] = base + field.lowerBound..<base + field.upperBound
        }
        return record
    }
}

/// The wanted paths as a tree of their steps; the root is the line's object.
struct JSONPaths: Sendable {
    struct Node: Sendable {
        var column: Int?
        var steps: [(name: [UInt8], node: Int)] = []
    }

    private(set) var nodes = [Node()]
    let columns: [String]

    /// Throws `IngestError` for no paths, an empty step, or two paths of one name.
    init(_ paths: [String]) throws(IngestError) {
        columns = paths.map { String($0.map { $0 == "." ? "_" : $0 }) }
        if paths.isEmpty {
            throw IngestError(
                "jsonl has no columns", hint: "give columns = the paths that matter, such as [\"item.code\"]")
        }
        for (column, path) in paths.enumerated() {
            if columns[..<column].contains(columns[column]) {
                throw IngestError("column \"\(columns[column])\" is there twice", hint: "give each path once")
            }
            try add(path, column)
        }
    }

    private mutating func add(_ path: String, _ column: Int) throws(IngestError) {
        let steps = path.split(separator: ".", omittingEmptySubsequences: false)
        guard steps.count <= JSONScanner.deepest, steps.allSatisfy({ !$0.isEmpty }) else {
            throw IngestError("\"\(path)\" is no path", hint: "write names between points, such as lines.0.qty")
        }
        var at = 0
        for step in steps {
            let name = Array(step.utf8)
            if let next = nodes[at].steps.first(where: { $0.name == name }) {
                at = next.node
            } else {
                nodes.append(Node())
                nodes[at].steps.append((name, nodes.count - 1))
                at = nodes.count - 1
            }
        }
        nodes[at].column = column
    }

    /// Where this step leads; nil: nowhere that matters.
    func next(_ node: Int?, _ name: UnsafeRawBufferPointer) -> Int? {
        guard let node else { return nil }
        return nodes[node].steps.first { $0.name.count == name.count && name.elementsEqual($0.name) }?.node
    }

    func next(_ node: Int?, index: Int) -> Int? {
        guard let node, !nodes[node].steps.isEmpty else { return nil }
        return nodes[node].steps.first { $0.name.elementsEqual("\(index)".utf8) }?.node
    }
}
