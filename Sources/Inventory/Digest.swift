import CCrypto

/// A SHA-256 digest (FIPS 180-4), by OpenSSL's libcrypto. Safe from any thread.
package struct Digest: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    package static func == (a: Digest, b: Digest) -> Bool { a.words == b.words }

    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    package init(sha256 bytes: UnsafeRawBufferPointer) {
        var out: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let done = withUnsafeMutableBytes(of: &out) { out in
            EVP_Digest(
                bytes.baseAddress, bytes.count, out.baseAddress?.assumingMemoryBound(to: UInt8.self), nil,
                Self.algorithm, nil)
        }
        precondition(done == 1, "SHA-256 is always there")
        words = (out.0.bigEndian, out.1.bigEndian, out.2.bigEndian, out.3.bigEndian)
    }

    package init(sha256 bytes: [UInt8]) { self = bytes.withUnsafeBytes { Digest(sha256: $0) } }

    package init(sha256 bytes: ArraySlice<UInt8>) { self = bytes.withUnsafeBytes { Digest(sha256: $0) } }

    package init(sha256 text: String) {
        var text = text
        self = text.withUTF8 { Digest(sha256: UnsafeRawBufferPointer($0)) }
    }

    /// Fetched once: a lookup per call costs more than the hash of a short record. Written by its initializer only.
    nonisolated(unsafe) private static let algorithm = EVP_MD_fetch(nil, "SHA256", nil)

    /// The 32 bytes of a digest.
    fileprivate init(bytes: [UInt8]) {
        func word(_ index: Int) -> UInt64 { bytes[index * 8..<index * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        words = (word(0), word(1), word(2), word(3))
    }

    /// The first 8 bytes as a big-endian number.
    package var prefix8: UInt64 { words.0 }
    package var prefix16: (UInt64, UInt64) { (words.0, words.1) }
    package var suffix16: (UInt64, UInt64) { (words.2, words.3) }

    /// All 32 bytes in order.
    package var bytes: [UInt8] {
        let ordered = (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)
        return withUnsafeBytes(of: ordered) { [UInt8]($0) }
    }

    /// 64 lower-case hex digits.
    package var hex: String { asciiText }
}

extension Digest: ASCIIText {
    static var longest: Int { 64 }

    func write(to out: UnsafeMutablePointer<UInt8>) -> Int {
        out.putHex(words.0, at: 0)
        out.putHex(words.1, at: 16)
        out.putHex(words.2, at: 32)
        out.putHex(words.3, at: 48)
        return 64
    }
}

/// SHA-256 of what comes in pieces. Not Sendable.
package final class RunningDigest {
    private let context = EVP_MD_CTX_new()

    package init() {
        precondition(EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1, "SHA-256 is always there")
    }

    deinit { EVP_MD_CTX_free(context) }

    package func add(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { _ = EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
    }

    /// Once, at the end.
    package func finish() -> Digest {
        var out = [UInt8](repeating: 0, count: 32)
        EVP_DigestFinal_ex(context, &out, nil)
        return Digest(bytes: out)
    }
}

/// 16 lower-case hex digits.
package func hexText(_ word: UInt64) -> String {
    String(unsafeUninitializedCapacity: 16) { buffer in
        buffer.baseAddress?.putHex(word, at: 0)
        return 16
    }
}
