import Inventory

/// What one trailer says there should have been, and what there was since the last one.
struct GroupTally: Sendable {
    private let layout: RecordLayout
    private let plan: GroupPlan
    /// By trailer column, in the order of their names.
    private let counts: [(column: Int, name: String, of: String)]
    private let sums: [(column: Int, name: String, of: String)]
    /// By layout and sum: the detail's column.
    private let addends: [[Int?]]

    private var records = 0
    private var byLayout: [Int]
    /// In millionths, by sum; nil: a detail held no number there.
    private var totals: [Int128?]

    init(_ layout: RecordLayout, _ plan: GroupPlan) {
        self.layout = layout
        self.plan = plan
        let names = plan.layouts.firstIndex(of: layout).map { plan.names[$0] } ?? []
        func figures(_ pairs: [String: String]) -> [(column: Int, name: String, of: String)] {
            pairs.sorted { $0.key < $1.key }.compactMap { name, of in names.firstIndex(of: name).map { ($0, name, of) }
            }
        }
        counts = figures(layout.counts)
        let summed = figures(layout.sums)
        sums = summed
        addends = plan.layouts.indices.map { index in
            let isDetail = plan.layouts[index].role == .detail
            return summed.map { isDetail ? plan.names[index].firstIndex(of: $0.of) : nil }
        }
        byLayout = plan.layouts.map { _ in 0 }
        totals = summed.map { _ in 0 }
    }

    mutating func reset() {
        records = 0
        byLayout = byLayout.map { _ in 0 }
        totals = totals.map { _ in 0 }
    }

    // MARK: counting

    mutating func note(_ piece: GroupReader.Piece) {
        records += 1
        guard let layout = piece.layout else { return }
        byLayout[layout] += 1
        guard plan.layouts[layout].role == .detail else { return }
        for sum in sums.indices {
            guard let column = addends[layout][sum], let total = totals[sum] else { continue }
            guard case .record(let record) = piece.item else {
                totals[sum] = nil
                continue
            }
            totals[sum] = Self.millionths(record, column, ifEmpty: 0).map { total + $0 }
        }
    }

    var details: Int {
        plan.layouts.indices.reduce(0) { $0 + (plan.layouts[$1].role == .detail ? byLayout[$1] : 0) }
    }

    /// A decimal as a file writes it; the last of points and commas is its mark.
    private static func millionths(_ record: Record, _ column: Int, ifEmpty: Int128? = nil) -> Int128? {
        let field = record.text[record.fields[column]]
        if field.allSatisfy({ $0 == 0x20 }) { return ifEmpty }
        let mark = field.last { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ",") }
        let quantity = field.withUnsafeBytes { try? DecimalText.quantity($0, mark: mark ?? UInt8(ascii: ".")) }
        return quantity.map { Int128($0.millionths) }
    }

    // MARK: checking

    /// What does not fit, in words; nil: all does.
    func misfit(_ trailer: Record) -> String? {
        let wrong = counts.compactMap { wrongCount($0, trailer) } + sums.indices.compactMap { wrongSum($0, trailer) }
        return wrong.isEmpty ? nil : "trailer \"\(layout.type)\": \(wrong.joined(separator: "; "))"
    }

    private func wrongCount(_ count: (column: Int, name: String, of: String), _ trailer: Record) -> String? {
        let found =
            switch count.of {
            case "*": details
            case "+": records
            default: plan.layouts.firstIndex { $0.type == count.of }.map { byLayout[$0] } ?? 0
            }
        if Self.millionths(trailer, count.column) == Int128(found) * 1_000_000 { return nil }
        return "\(count.name) says \(said(trailer, count.column)), and there were \(found)"
    }

    private func wrongSum(_ index: Int, _ trailer: Record) -> String? {
        let sum = sums[index]
        guard let total = totals[index] else {
            return "\(sum.name) says \(said(trailer, sum.column)), and some \(sum.of) is no number"
        }
        if Self.millionths(trailer, sum.column) == total { return nil }
        return "\(sum.name) says \(said(trailer, sum.column)), and the sum of \(sum.of) is \(Self.text(total))"
    }

    private func said(_ trailer: Record, _ column: Int) -> String {
        let text = trailer.value(column).prefix(40)
        return text.isEmpty ? "nothing" : String(text)
    }

    private static func text(_ millionths: Int128) -> String {
        let (integer, fraction) = millionths.magnitude.quotientAndRemainder(dividingBy: 1_000_000)
        var digits = String("\(1_000_000 + fraction)".dropFirst())
        while digits.last == "0" { digits.removeLast() }
        return (millionths < 0 ? "-" : "") + "\(integer)" + (digits.isEmpty ? "" : ".\(digits)")
    }

    // MARK: checkpoint

    var state: GroupState.Tally {
        var state = GroupState.Tally()
        state.records = records
        for (layout, count) in zip(plan.layouts, byLayout) where count > 0 { state.counts[layout.type] = count }
        for (sum, total) in zip(sums, totals) { state.sums[sum.of] = total.map { "\($0)" } ?? "" }
        return state
    }

    mutating func resume(_ state: GroupState.Tally) {
        records = state.records
        byLayout = plan.layouts.map { state.counts[$0.type] ?? 0 }
        totals = sums.map { state.sums[$0.of].flatMap { Int128($0) } }
    }
}
