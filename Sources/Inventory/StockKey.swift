/// What a balance belongs to, within a site. The last three fields may be empty.
///
/// No field may hold 0x1F, the separator of the key's canonical bytes: whoever builds a key from the
/// world's text checks that first (`StockKey.isValid`). Keys are equal and in order by the bytes of their UTF-8, field by
/// field, as the stock table and its hashes see them: two spellings of an umlaut are two keys.
package struct StockKey: Hashable, Sendable, Comparable {
    package var sku: String
    package var location: String
    package var lot: String
    package var owner: String

    package init(sku: String, location: String = "", lot: String = "", owner: String = "") {
        self.sku = sku
        self.location = location
        self.lot = lot
        self.owner = owner
    }

    /// False when the SKU is empty or a field holds the separator 0x1F.
    package var isValid: Bool {
        !sku.isEmpty && !Self.holdsSeparator(sku) && !Self.holdsSeparator(location) && !Self.holdsSeparator(lot)
            && !Self.holdsSeparator(owner)
    }

    private static func holdsSeparator(_ text: String) -> Bool {
        text.utf8.withContiguousStorageIfAvailable { $0.contains(0x1F) } ?? text.utf8.contains(0x1F)
    }

    package static func == (a: StockKey, b: StockKey) -> Bool {
        a.sku.hasBytes(of: b.sku) && a.location.hasBytes(of: b.location) && a.lot.hasBytes(of: b.lot)
            && a.owner.hasBytes(of: b.owner)
    }

    /// What is empty costs nothing; keys of one site mostly leave the same fields empty.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(sku)
        if !location.isEmpty { hasher.combine(location) }
        if !lot.isEmpty { hasher.combine(lot) }
        if !owner.isEmpty { hasher.combine(owner) }
    }

    package static func < (a: StockKey, b: StockKey) -> Bool {
        for (own, other) in [(a.sku, b.sku), (a.location, b.location), (a.lot, b.lot), (a.owner, b.owner)] {
            if !own.hasBytes(of: other) { return own.utf8.lexicographicallyPrecedes(other.utf8) }
        }
        return false
    }
}

extension String {
    /// The same UTF-8; `==` also takes other spellings of the same characters for equal.
    package func hasBytes(of other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }
}

/// A part of the stock at one key; `allocated` overlays `unrestricted`.
package enum Bucket: UInt8, CaseIterable, Sendable {
    case unrestricted, quarantined, damaged, blocked, allocated, inTransit

    /// The name on the wire and in mappings.
    package var name: String {
        switch self {
        case .unrestricted: "unrestricted"
        case .quarantined: "quarantined"
        case .damaged: "damaged"
        case .blocked: "blocked"
        case .allocated: "allocated"
        case .inTransit: "in_transit"
        }
    }

    /// Counts as physically here; the others are a promise and what is still on its way.
    package var isOnHand: Bool {
        switch self {
        case .unrestricted, .quarantined, .damaged, .blocked: true
        case .allocated, .inTransit: false
        }
    }

    package init?(name: String) {
        guard let bucket = Bucket.allCases.first(where: { $0.name == name }) else { return nil }
        self = bucket
    }
}
