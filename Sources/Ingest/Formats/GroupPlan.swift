/// The layouts of a format with record types, checked, and where each column of a detail comes from.
struct GroupPlan: Sendable {
    enum ColumnSource: Sendable, Equatable {
        case type
        case own(Int)
        /// Of the first of these headers that is there, innermost first; none: absent.
        case headers([HeaderColumn])
    }

    struct HeaderColumn: Sendable, Equatable {
        var layout: Int
        var column: Int
    }

    let layouts: [RecordLayout]
    /// The columns' names, by layout.
    let names: [[String]]
    /// `record`, then those of headers and details in the order of the layouts.
    let columns: [String]
    /// By layout; empty for what is no detail.
    let sources: [[ColumnSource]]

    /// The column that holds the type.
    static let typeColumn = "record"

    /// Throws `IngestError` for layouts that contradict each other.
    init(_ format: FormatDefinition) throws(IngestError) {
        layouts = format.layouts
        var names: [[String]] = []
        for layout in layouts { names.append(try Self.names(layout, format.kind)) }
        self.names = names
        try Self.check(layouts, names)
        var columns = [Self.typeColumn]
        for (layout, names) in zip(layouts, names) where layout.role != .trailer {
            columns += names.filter { !columns.contains($0) }
        }
        self.columns = columns
        let (all, own) = (layouts, names)
        sources = all.indices.map { index in
            all[index].role == .detail ? columns.map { Self.source($0, index, all, own) } : []
        }
    }

    private static func source(
        _ column: String, _ index: Int, _ layouts: [RecordLayout], _ names: [[String]]
    ) -> ColumnSource {
        if column == typeColumn { return .type }
        if let own = names[index].firstIndex(of: column) { return .own(own) }
        let headers = layouts.indices.reversed().filter { layouts[$0].role == .header }
        return .headers(
            headers.compactMap { header in
                names[header].firstIndex(of: column).map { HeaderColumn(layout: header, column: $0) }
            })
    }

    /// The layout of this type.
    func layout(of type: some Collection<UInt8>) -> Int? {
        layouts.firstIndex { $0.type.utf8.elementsEqual(type) }
    }

    // MARK: checks

    private static func names(_ layout: RecordLayout, _ kind: FormatDefinition.Kind) throws(IngestError) -> [String] {
        guard kind == .fixed else { return layout.columns }
        var names: [String] = []
        for column in layout.columns { names.append(try FixedColumn(column).name) }
        return names
    }

    private static func check(_ layouts: [RecordLayout], _ names: [[String]]) throws(IngestError) {
        guard layouts.contains(where: { $0.role == .detail }) else {
            throw IngestError("no record type is a detail", hint: "what becomes records has role = \"detail\"")
        }
        for (index, layout) in layouts.enumerated() {
            let what = "record type \"\(layout.type)\""
            if layouts[..<index].contains(where: { $0.type == layout.type }) {
                throw IngestError("\(what) is there twice", hint: "describe each type once")
            }
            if names[index].isEmpty { throw IngestError("\(what) has no columns", hint: "name them in order") }
            for (at, name) in names[index].enumerated() where names[index][..<at].contains(name) {
                throw IngestError("\(what) has column \"\(name)\" twice", hint: "give each a name of its own")
            }
            if names[index].contains(typeColumn) {
                throw IngestError("\(what) has a column \"record\"", hint: "that name is the record's type")
            }
            try check(layout, names[index], layouts, names)
        }
    }

    private static func check(
        _ layout: RecordLayout, _ own: [String], _ layouts: [RecordLayout], _ names: [[String]]
    ) throws(IngestError) {
        let what = "record type \"\(layout.type)\""
        let figures = (Array(layout.counts.keys) + Array(layout.sums.keys)).sorted()
        if layout.role != .trailer, let first = figures.first {
            throw IngestError("\(what) is no trailer and checks \"\(first)\"", hint: "role = \"trailer\" does")
        }
        if let unknown = figures.first(where: { !own.contains($0) }) {
            throw IngestError("\(what) has no column \"\(unknown)\"", hint: "it has: \(own.joined(separator: ", "))")
        }
        let types = ["*", "+"] + layouts.map(\.type)
        if let unknown = layout.counts.values.sorted().first(where: { !types.contains($0) }) {
            throw IngestError(
                "\(what) counts \"\(unknown)\"", hint: "that is * (details), + (all records) or a record type")
        }
        let details = zip(layouts, names).filter { $0.0.role == .detail }.flatMap(\.1)
        if let unknown = layout.sums.values.sorted().first(where: { !details.contains($0) }) {
            throw IngestError("\(what) sums \"\(unknown)\"", hint: "details have: \(details.joined(separator: ", "))")
        }
    }
}
