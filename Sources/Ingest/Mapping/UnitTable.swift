import Inventory

/// Base units from master data: a CSV file with the columns `sku, uom, numerator, denominator`. A quantity in a unit is
/// multiplied by numerator / denominator; the unit whose factor is 1 is the SKU's base unit.
struct UnitTable {
    struct Factor {
        var numerator: Int64
        var denominator: Int64
        /// The SKU's base unit; nil where no row names it.
        var base: String?

        /// Exact, or an error: stock is never rounded.
        func apply(to quantity: Quantity) throws(InventoryError) -> Quantity {
            let scaled = Int128(quantity.millionths) * Int128(numerator)
            let (value, rest) = scaled.quotientAndRemainder(dividingBy: Int128(denominator))
            guard rest == 0, let millionths = Int64(exactly: value) else {
                throw InventoryError(
                    code: "uom", message: "\(quantity) × \(numerator) / \(denominator) has more than 6 decimal places")
            }
            return try Quantity(millionths: millionths)
        }
    }

    private var factors: [String: [String: Factor]] = [:]

    /// Throws `IngestError` for a row that is no factor.
    init(rows: [[String]]) throws {
        for (index, row) in rows.enumerated() {
            guard row.count >= 4, let numerator = Int64(row[2]), let denominator = Int64(row[3]), numerator > 0,
                denominator > 0
            else {
                throw IngestError(
                    "row \(index + 1) of the units table is no factor: \(row.joined(separator: ","))",
                    hint: "each row has sku, uom, numerator, denominator; the last two are whole numbers above 0")
            }
            factors[row[0], default: [:]][row[1]] = Factor(numerator: numerator, denominator: denominator)
        }
        for (sku, units) in factors {
            let base = units.filter { $0.value.numerator == $0.value.denominator }.map(\.key).min()
            for unit in units.keys { factors[sku]?[unit]?.base = base }
        }
    }

    func factors(ofSKU sku: String) -> [(numerator: Int64, denominator: Int64)] {
        (factors[sku] ?? [:]).values.map { ($0.numerator, $0.denominator) }
    }

    /// Throws for a unit that the master data does not know of this SKU: a guess would count wrong.
    func factor(sku: String, unit: String) throws(InventoryError) -> Factor {
        guard let factor = factors[sku]?[unit] else {
            throw InventoryError(code: "uom", message: "the units table knows no unit \"\(unit)\" of SKU \"\(sku)\"")
        }
        return factor
    }
}
