import Inventory

/// UUIDv7 texts (RFC 9562) that only rise, also when the clock goes back.
enum SessionName {
    static func mint(now: Timestamp, above: String) -> String {
        var milliseconds = UInt64(max(0, now.milliseconds))
        let known = UInt64(above.filter { $0 != "-" }.prefix(12), radix: 16) ?? 0
        if milliseconds <= known { milliseconds = known + 1 }
        let high = milliseconds << 16 | 0x7000 | UInt64.random(in: 0...0xFFF)
        let low = UInt64.random(in: 0...UInt64.max) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        return EventID(high: high, low: low).description
    }
}
