package import Inventory

/// The topic names of one site, `waybill/v1/{shard}/{tenant}/{site}/…` (docs/protocol.md, section 2).
package struct Topics: Sendable {
    package let root: String

    package init(site: SiteIdentity) {
        root = "waybill/v1/\(site.shard)/\(site.tenant)/\(site.site)"
    }

    package func events(_ lane: Lane) -> String { "\(root)/ev/\(lane.name)" }
    package var state: String { "\(root)/state" }
    package var beacon: String { "\(root)/beacon" }
    package var meta: String { "\(root)/meta" }
}
