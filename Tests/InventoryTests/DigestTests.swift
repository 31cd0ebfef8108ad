import Inventory
import Testing

struct DigestTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func `a digest is that of FIPS 180-4`(text: String, hex: String) {
        let digest = Digest(sha256: text)
        #expect(digest.hex == hex)
        #expect(Digest(sha256: [UInt8](text.utf8)) == digest)
        #expect(digest.bytes.count == 32)
        #expect(hex.hasPrefix(hexText(digest.prefix8)))
        #expect(digest.bytes.first == UInt8(hex.prefix(2), radix: 16))
    }

    @Test func `many threads hash at once`() async {
        let expected = Digest(sha256: "shared")
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask { (0..<2_000).allSatisfy { _ in Digest(sha256: "shared") == expected } }
            }
            for await agreed in group { #expect(agreed) }
        }
    }
}
