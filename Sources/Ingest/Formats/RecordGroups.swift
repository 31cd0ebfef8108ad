package import Inventory

// Headers, details and trailers: each record's type says which it is. A detail becomes a record that also holds what its
// headers say; headers and trailers become none. A record's `context` keeps its headers' bytes, so that a reject can be
// read again by itself.
//
// A header that cannot be read is not passed over: the details under it are rejected, or they would stand under the one
// before it.

/// Around the records of `csv` or `fixed` lines.
package struct RecordGroups: RecordDecoder {
    package let columns: [String]?
    private let plan: GroupPlan
    private let policy: FormatDefinition.CountPolicy
    private var reader: GroupReader
    /// By layout: the header at hand.
    private var headers: [Record?]
    private var lostHeaders: Set<Int> = []
    /// By layout; nil for what is no trailer.
    private var tallies: [GroupTally?]
    private var carried: CarriedText

    /// A checkpoint holds the headers, and a reject too.
    private static let longestHeader = 32 << 10

    /// Throws `IngestError` for layouts that cannot be read so.
    package init(format: FormatDefinition, typeAt: String, state: GroupState?) throws {
        let plan = try GroupPlan(format)
        self.plan = plan
        columns = plan.columns
        policy = format.counts
        reader = try GroupReader(format, plan, typeAt: typeAt)
        headers = plan.layouts.map { _ in nil }
        tallies = plan.layouts.map { $0.role == .trailer ? GroupTally($0, plan) : nil }
        carried = CarriedText(plan, headers, reader.framing)
        if let state { resume(state) }
    }

    package var framing: Framing { reader.framing }
    package var pendingOffset: Int64? { reader.pendingOffset }
    package mutating func dropPending() { reader.dropPending() }

    package mutating func decode(_ line: RawLine) -> DecodedItem? {
        guard let piece = reader.read(line) else { return nil }
        for index in tallies.indices { tallies[index]?.note(piece) }
        guard let layout = piece.layout else { return piece.item }
        switch plan.layouts[layout].role {
        case .header: return open(layout, piece.item)
        case .detail: return detail(layout, piece.item)
        case .trailer: return close(layout, piece.item)
        }
    }

    package mutating func finish() -> RejectReason? {
        let open = tallies.indices.filter { (tallies[$0]?.details ?? 0) > 0 }.map { plan.layouts[$0].type }
        headers = headers.map { _ in nil }
        lostHeaders = []
        for index in tallies.indices { tallies[index]?.reset() }
        carried = CarriedText(plan, headers, framing)
        guard let missing = open.first, policy != .ignore else { return nil }
        return RejectReason(
            code: "truncated", message: "the file ends without trailer \"\(missing)\" after its details")
    }

    // MARK: roles

    private mutating func open(_ layout: Int, _ item: DecodedItem) -> DecodedItem? {
        for inner in headers.indices.dropFirst(layout) {
            headers[inner] = nil
            lostHeaders.remove(inner)
        }
        var answer: DecodedItem?
        switch item {
        case .record(let record) where record.bytes.count <= Self.longestHeader: headers[layout] = record
        case .record(let record):
            lostHeaders.insert(layout)
            answer = .reject(
                RawLine(offset: record.offset, bytes: record.bytes), "too_long",
                "a header is longer than \(Self.longestHeader) bytes")
        default:
            lostHeaders.insert(layout)
            answer = item
        }
        carried = CarriedText(plan, headers, framing)
        return answer
    }

    private func detail(_ layout: Int, _ item: DecodedItem) -> DecodedItem {
        guard case .record(let record) = item else { return withContext(item) }
        if let lost = lostHeaders.min() {
            return withContext(
                .reject(
                    RawLine(offset: record.offset, bytes: record.bytes), "header",
                    "header \"\(plan.layouts[lost].type)\" before it could not be read"))
        }
        return .record(carried.detail(record, layout))
    }

    private func withContext(_ item: DecodedItem) -> DecodedItem {
        guard case .reject(let offset, let bytes, let reason) = item, !carried.context.isEmpty else { return item }
        return .reject(offset: offset, bytes: (carried.context + bytes)[...], reason: reason)
    }

    private mutating func close(_ layout: Int, _ item: DecodedItem) -> DecodedItem? {
        defer { tallies[layout]?.reset() }
        guard case .record(let record) = item else { return item }
        guard policy != .ignore, let misfit = tallies[layout]?.misfit(record) else { return nil }
        if policy == .warn { return .notice("\(misfit) (byte \(record.offset))") }
        return .reject(RawLine(offset: record.offset, bytes: record.bytes), "count", misfit)
    }

    // MARK: checkpoint

    package var state: DecoderState {
        var group = GroupState()
        for (layout, header) in zip(plan.layouts, headers) {
            group.headers[layout.type] = header.map { GroupState.text($0.bytes) }
        }
        group.lostHeaders = lostHeaders.sorted().map { plan.layouts[$0].type }
        for (layout, tally) in zip(plan.layouts, tallies) { group.tallies[layout.type] = tally?.state }
        return DecoderState(group: group)
    }

    private mutating func resume(_ state: GroupState) {
        for (index, layout) in plan.layouts.enumerated() {
            if let stored = state.tallies[layout.type] { tallies[index]?.resume(stored) }
            guard layout.role == .header else { continue }
            if state.lostHeaders.contains(layout.type) { lostHeaders.insert(index) }
            guard let text = state.headers[layout.type] else { continue }
            // At the file's first byte, where a byte order mark may stand.
            let piece = reader.read(RawLine(offset: 0, bytes: GroupState.bytes(text)[...]))
            reader.dropPending()
            if case .record(let record)? = piece?.item, piece?.layout == index {
                headers[index] = record
            } else {
                lostHeaders.insert(index)
            }
        }
        carried = CarriedText(plan, headers, framing)
    }
}

/// What the headers at hand give to each detail.
private struct CarriedText: Sendable {
    /// The headers as the file has them, each with a line end.
    private(set) var context: [UInt8] = []
    private let plan: GroupPlan
    /// The types' names, then the headers' values.
    private var text: [UInt8] = []
    private var types: [Range<Int>] = []
    /// By layout; empty: there is no such header.
    private var fields: [[Range<Int>]] = []

    init(_ plan: GroupPlan, _ headers: [Record?], _ framing: Framing) {
        self.plan = plan
        types = plan.layouts.map { append($0.type.utf8) }
        for header in headers {
            fields.append(header.map { header in header.fields.map { append(header.text[$0]) } } ?? [])
            if let header { context += header.bytes + framing.bytes }
        }
    }

    private mutating func append(_ bytes: some Collection<UInt8>) -> Range<Int> {
        let start = text.count
        text.append(contentsOf: bytes)
        return start..<text.count
    }

    /// The detail's own text, followed by what is carried.
    func detail(_ record: Record, _ layout: Int) -> Record {
        var whole = record
        var joined: [UInt8] = []
        joined.reserveCapacity(record.text.count + text.count)
        joined.append(contentsOf: record.text)
        joined.append(contentsOf: text)
        whole.text = joined[...]
        whole.context = context
        let (base, behind) = (record.text.startIndex, record.text.count)
        whole.fields = plan.sources[layout].map { source in
            switch source {
            case .own(let index): shifted(record.fields[index], by: -base)
            case .type: shifted(types[layout], by: behind)
            case .headers(let headers):
                headers.first { !fields[$0.layout].isEmpty }.map { shifted(fields[$0.layout][$0.column], by: behind) }
                    ?? Record.absent
            }
        }
        return whole
    }

    private func shifted(_ range: Range<Int>, by distance: Int) -> Range<Int> {
        range.lowerBound + distance..<range.upperBound + distance
    }
}
