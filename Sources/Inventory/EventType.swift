/// The canonical event types. `rawValue` is the plain name of a mapping; `wireName` adds the version.
package enum EventType: String, CaseIterable, Sendable {
    case expected = "stock.expected"
    case received = "stock.received"
    case moved = "stock.moved"
    case reserved = "stock.reserved"
    case released = "stock.released"
    case picked = "stock.picked"
    case packed = "stock.packed"
    case shipped = "stock.shipped"
    case shipVoided = "stock.ship_voided"
    case returned = "stock.returned"
    case transferShipped = "stock.transfer_shipped"
    case transferReceived = "stock.transfer_received"
    case statusChanged = "stock.status_changed"
    case counted = "stock.counted"
    case adjusted = "stock.adjusted"
    case converted = "stock.converted"
    case level = "stock.level"
    case reversed = "stock.reversed"
    case drift = "stock.drift"
    case conflict = "stock.conflict"
    case sourceLoss = "source.loss"
    case skipped = "stream.skipped"

    /// The `type` attribute of the CloudEvent.
    package var wireName: String { rawValue + ".v1" }
}
