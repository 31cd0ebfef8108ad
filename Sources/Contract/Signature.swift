import CCrypto
import FoundationEssentials

// MQTT gives a receiver no proof of who published. Where an agent lists public keys, a command is an envelope whose
// signature covers the topic, so that it cannot be sent again as another command or to another site.

/// A signed command on the wire.
package struct SignedCommand: Codable, Sendable, Equatable {
    /// The request's JSON, as signed.
    package var body: String
    /// The public key: base64 of its 32 bytes.
    package var key: String
    /// Ed25519 (RFC 8032) over topic, newline and the bytes of `body`: base64 of 64 bytes.
    package var sig: String

    package init(body: String, key: String, sig: String) {
        self.body = body
        self.key = key
        self.sig = sig
    }

    /// What is signed.
    package static func message(topic: String, body: String) -> [UInt8] { Array("\(topic)\n\(body)".utf8) }
}

/// An Ed25519 public key.
package struct VerificationKey: Sendable, Hashable {
    /// Base64 of the 32 bytes.
    package let text: String
    private let bytes: [UInt8]

    /// Nil unless the text is base64 of 32 bytes.
    package init?(_ text: String) {
        guard let data = Data(base64Encoded: text), data.count == 32 else { return nil }
        self.text = text
        bytes = [UInt8](data)
    }

    /// Whether the signature, base64 of 64 bytes, is this key's over the message.
    package func verifies(_ signature: String, of message: [UInt8]) -> Bool {
        guard let data = Data(base64Encoded: signature), data.count == 64,
            let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count)
        else { return false }
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        let sig = [UInt8](data)
        return EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
            && EVP_DigestVerify(context, sig, sig.count, message, message.count) == 1
    }
}

/// An Ed25519 private key, for whoever sends signed commands. Used by one thread at a time.
package final class SigningKey {
    private let key: OpaquePointer
    /// Base64 of the public key's 32 bytes, as an agent lists it.
    package let publicText: String

    /// Reads a PEM text, such as `openssl genpkey -algorithm ed25519` writes; nil for anything else.
    package init?(pem: String) {
        let bytes = Array(pem.utf8)
        guard let bio = BIO_new_mem_buf(bytes, Int32(clamping: bytes.count)) else { return nil }
        defer { BIO_free(bio) }
        guard let read = PEM_read_bio_PrivateKey(bio, nil, nil, nil) else { return nil }
        var raw = [UInt8](repeating: 0, count: 32)
        var count = raw.count
        guard EVP_PKEY_get_id(read) == EVP_PKEY_ED25519, EVP_PKEY_get_raw_public_key(read, &raw, &count) == 1,
            count == 32
        else {
            EVP_PKEY_free(read)
            return nil
        }
        key = read
        publicText = Data(raw).base64EncodedString()
    }

    deinit { EVP_PKEY_free(key) }

    package func sign(body: String, topic: String) -> SignedCommand? {
        guard let context = EVP_MD_CTX_new() else { return nil }
        defer { EVP_MD_CTX_free(context) }
        let message = SignedCommand.message(topic: topic, body: body)
        var sig = [UInt8](repeating: 0, count: 64)
        var count = sig.count
        guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
            EVP_DigestSign(context, &sig, &count, message, message.count) == 1, count == 64
        else { return nil }
        return SignedCommand(body: body, key: publicText, sig: Data(sig).base64EncodedString())
    }
}
