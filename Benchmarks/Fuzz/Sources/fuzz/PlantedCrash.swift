import Glibc

/// Shows that the fuzzer finds what is there to be found: bytes that chance alone would hardly write.
///
/// Each one that fits is a step that the fuzzer can see, as those of a decoder are: the loop goes round once more.
enum PlantedCrash {
    private static let isPlanted = getenv("WAYBILL_FUZZ_PLANT") != nil
    private static let secret = Array("WAYB".utf8)

    static func look(at bytes: [UInt8]) {
        guard isPlanted else { return }
        var found = 0
        while found < secret.count, found < bytes.count, bytes[found] == secret[found] { found += 1 }
        if found == secret.count { fatalError("the planted crash") }
    }
}
