import CCrypto

/// A SHA-256 digest (FIPS 180-4), by OpenSSL's libcrypto.
package struct Digest: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    package static func == (a: Digest, b: Digest) -> Bool { a.words == b.words }

    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    package init(sha256 bytes: UnsafeRawBufferPointer) {
        var out = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let code = EVP_Digest(bytes.baseAddress, bytes.count, &out, &length, Self.algorithm, nil)
        precondition(code == 1 && length == 32, "SHA-256 is always there")
        words = out.withUnsafeBytes { buffer in
            func word(_ index: Int) -> UInt64 {
                UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
            }
            return (word(0), word(1), word(2), word(3))
        }
    }

    package init(sha256 bytes: [UInt8]) { self = bytes.withUnsafeBytes { Digest(sha256: $0) } }

    package init(sha256 text: String) {
        var text = text
        self = text.withUTF8 { Digest(sha256: UnsafeRawBufferPointer($0)) }
    }

    /// Fetched once: a lookup per call costs more than the hash of a short record.
    nonisolated(unsafe) private static let algorithm = EVP_MD_fetch(nil, "SHA256", nil)

    /// The first 8 bytes as a big-endian number.
    package var prefix8: UInt64 { words.0 }
    package var prefix16: (UInt64, UInt64) { (words.0, words.1) }
    package var suffix16: (UInt64, UInt64) { (words.2, words.3) }

    /// 64 lower-case hex digits.
    package var hex: String { hexText(words.0) + hexText(words.1) + hexText(words.2) + hexText(words.3) }
}

/// 16 lower-case hex digits.
package func hexText(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
