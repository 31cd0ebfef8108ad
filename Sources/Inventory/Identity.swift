/// A tenant's site; both names are what topics may hold.
package struct SiteIdentity: Sendable, Hashable {
    package let tenant: String
    package let site: String

    /// Nil unless both names match `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
    package init?(tenant: String, site: String) {
        guard Self.isName(tenant), Self.isName(site) else { return nil }
        self.tenant = tenant
        self.site = site
    }

    package static func isName(_ text: String) -> Bool {
        guard (1...64).contains(text.utf8.count), let first = text.utf8.first, isLetterOrDigit(first) else {
            return false
        }
        return text.utf8.allSatisfy { isLetterOrDigit($0) || [0x2E, 0x5F, 0x2D].contains($0) }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    /// The low byte of CRC-32 (IEEE 802.3) over `tenant/site`, two lower-case hex digits.
    package var shard: String {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in "\(tenant)/\(site)".utf8 {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0xEDB8_8320 : crc >> 1 }
        }
        let low = String((~crc) & 0xFF, radix: 16)
        return low.count == 1 ? "0" + low : low
    }
}

/// What makes a record the same record when it is read again.
package struct RecordIdentity: Sendable, Hashable {
    package let text: String
    package let recordHash: Digest
    /// Looked up among the seen identities, and remembered there.
    package let isTracked: Bool

    package init(text: String, recordHash: Digest, isTracked: Bool) {
        self.text = text
        self.recordHash = recordHash
        self.isTracked = isTracked
    }

    /// 16 bytes of SHA-256 over the text.
    package var hash: (UInt64, UInt64) { Digest(sha256: text).prefix16 }
}

/// The stable id of an event: a UUIDv8 (RFC 9562) from a hash of what identifies it.
package struct EventID: Hashable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// `n` counts events of one type made from the same record.
    package static func derive(
        site: SiteIdentity, source: String, record: RecordIdentity, type: EventType, n: Int
    ) -> (id: EventID, traceparent: String) {
        let parts = [site.tenant, site.site, source, record.text, type.rawValue, String(n)]
        let digest = Digest(sha256: parts.joined(separator: "\u{1F}"))
        let (a, b) = digest.prefix16
        let id = EventID(
            high: (a & 0xFFFF_FFFF_FFFF_0FFF) | 0x8000, low: (b & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000)
        let (c, d) = digest.suffix16
        let trace = "00-\(hexText(c | 1))\(hexText(d))-\(hexText(record.recordHash.prefix8 | 1))-00"
        return (id, trace)
    }

    package var description: String {
        let text = Array((hexText(high) + hexText(low)).utf8)
        var out: [UInt8] = []
        for (index, byte) in text.enumerated() {
            if [8, 12, 16, 20].contains(index) { out.append(UInt8(ascii: "-")) }
            out.append(byte)
        }
        return String(decoding: out, as: UTF8.self)
    }
}

/// One unbroken life of an outbox: `YYYYMMDDThhmmssZ-xxxx`; compares as text.
package struct Epoch: Sendable, Hashable, Comparable {
    package let text: String

    /// Nil unless the text has the form.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 21, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z"),
            bytes[16] == UInt8(ascii: "-")
        else { return nil }
        let digits = bytes[0..<8] + bytes[9..<15]
        guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        guard bytes[17...].allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else { return nil }
        self.text = text
    }

    private init(time: Timestamp, random: UInt16) {
        let (year, month, day, hour, minute, second, _) = time.civil
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let suffix = String(random, radix: 16)
        text =
            "\(year)\(two(month))\(two(day))T\(two(hour))\(two(minute))\(two(second))Z-"
            + String(repeating: "0", count: 4 - suffix.count) + suffix
    }

    /// An epoch greater than all in `above`, also when the clock is behind them.
    package static func mint(now: Timestamp, above: [Epoch], random: UInt16) -> Epoch {
        var time = now
        if let greatest = above.max() {
            let known = greatest.start
            if time.milliseconds < known.milliseconds + 1_000 {
                time = Timestamp(milliseconds: known.milliseconds + 1_000)
            }
        }
        return Epoch(time: time, random: random)
    }

    private var start: Timestamp {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int { bytes[range].reduce(0) { $0 * 10 + Int($1 - 0x30) } }
        return Timestamp(
            year: number(0..<4), month: number(4..<6), day: number(6..<8), hour: number(9..<11),
            minute: number(11..<13), second: number(13..<15))
    }

    package static func < (a: Epoch, b: Epoch) -> Bool { a.text < b.text }
}
