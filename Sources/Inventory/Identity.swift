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

    /// `lineage:offset`, as a record is known that has no id of its own; in one piece, since there is one for each record.
    package static func text(lineage: String, offset: Int64) -> String {
        let width = decimalWidth(offset.magnitude)
        let length = lineage.utf8.count
        return String(unsafeUninitializedCapacity: length + 2 + width) { buffer in
            guard let out = buffer.baseAddress else { return 0 }
            _ = buffer.update(fromContentsOf: lineage.utf8)
            out[length] = UInt8(ascii: ":")
            let sign = offset < 0 ? 1 : 0
            if sign == 1 { out[length + 1] = UInt8(ascii: "-") }
            out.putDecimal(offset.magnitude, width: width, at: length + 1 + sign)
            return length + 1 + sign + width
        }
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

    /// `n` counts events of one type made from the same record; a conflict's id holds the record's hash too.
    ///
    /// The parts are joined by 0x1F. Only the record's identity may hold it, and it stands between names and numbers
    /// that cannot: no two lists of parts give the same bytes.
    package static func derive(
        site: SiteIdentity, source: String, record: RecordIdentity, type: EventType, n: Int
    ) -> (id: EventID, traceparent: Traceparent) {
        let digest = withParts(site, source, record, type, n) { Digest(sha256: $0) }
        let (a, b) = digest.prefix16
        let id = EventID(
            high: (a & 0xFFFF_FFFF_FFFF_0FFF) | 0x8000, low: (b & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000)
        let (c, d) = digest.suffix16
        return (id, Traceparent(trace: (c | 1, d), parent: record.recordHash.prefix8 | 1))
    }

    /// The joined parts, in place: this runs once an event.
    private static func withParts(
        _ site: SiteIdentity, _ source: String, _ record: RecordIdentity, _ type: EventType, _ n: Int,
        _ body: (UnsafeRawBufferPointer) -> Digest
    ) -> Digest {
        let (name, number) = (type.rawValue, String(n))
        let hash = type == .conflict ? record.recordHash.hex : nil
        let fixed = site.tenant.utf8.count + site.site.utf8.count + source.utf8.count + name.utf8.count
        let room = fixed + record.text.utf8.count + number.utf8.count + (hash?.utf8.count ?? 0) + 6
        return withUnsafeTemporaryAllocation(byteCount: room, alignment: 1) { buffer in
            var count = 0
            func put(_ text: String) {
                var text = text
                text.withUTF8 { UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyBytes(from: $0) }
                count += text.utf8.count
            }
            func separate() {
                buffer[count] = 0x1F
                count += 1
            }
            put(site.tenant)
            separate()
            put(site.site)
            separate()
            put(source)
            separate()
            put(record.text)
            separate()
            put(name)
            separate()
            put(number)
            if let hash {
                separate()
                put(hash)
            }
            return body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// Reads 36 characters, hex digits of either case.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 36, Self.dashes.allSatisfy({ bytes[$0] == UInt8(ascii: "-") }) else { return nil }
        var words: [UInt64] = []
        for range in [[0..<8, 9..<13, 14..<18], [19..<23, 24..<36]] {
            let digits = range.flatMap { bytes[$0] }
            guard digits.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
                let word = UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
            else { return nil }
            words.append(word)
        }
        self.init(high: words[0], low: words[1])
    }

    private static let dashes = [8, 13, 18, 23]

    /// 8-4-4-4-12 lower-case hex digits.
    package var description: String { asciiText }
}

extension EventID: ASCIIText {
    static var longest: Int { 36 }

    func write(to out: UnsafeMutablePointer<UInt8>) -> Int {
        // From the back, so that no digit is overwritten before it has moved.
        out.putHex(low, at: 20)
        (out + 19).update(from: out + 20, count: 4)
        out[23] = UInt8(ascii: "-")
        out.putHex(high, at: 0)
        (out + 14).update(from: out + 12, count: 4)
        (out + 9).update(from: out + 8, count: 4)
        out[8] = UInt8(ascii: "-")
        out[13] = UInt8(ascii: "-")
        out[18] = UInt8(ascii: "-")
        return 36
    }
}

/// W3C Trace Context of an event: `00-<32 hex digits>-<16 hex digits>-00`.
package struct Traceparent: Hashable, Sendable, CustomStringConvertible {
    private let high: UInt64
    private let low: UInt64
    private let parent: UInt64

    /// Neither may be 0.
    package init(trace: (UInt64, UInt64), parent: UInt64) {
        precondition((trace.0 | trace.1) != 0 && parent != 0)
        (high, low) = trace
        self.parent = parent
    }

    package var description: String { asciiText }
}

extension Traceparent: ASCIIText {
    static var longest: Int { 55 }

    func write(to out: UnsafeMutablePointer<UInt8>) -> Int {
        out.putDecimal(0, width: 2, at: 0)
        out[2] = UInt8(ascii: "-")
        out.putHex(high, at: 3)
        out.putHex(low, at: 19)
        out[35] = UInt8(ascii: "-")
        out.putHex(parent, at: 36)
        out[52] = UInt8(ascii: "-")
        out.putDecimal(0, width: 2, at: 53)
        return 55
    }
}
