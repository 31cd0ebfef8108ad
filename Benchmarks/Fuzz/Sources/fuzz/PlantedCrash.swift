import Glibc

/// Shows that the fuzzer finds what is there to be found: bytes that chance alone would hardly write.
enum PlantedCrash {
    private static let isPlanted = getenv("WAYBILL_FUZZ_PLANT") != nil

    static func look(at bytes: [UInt8]) {
        guard isPlanted, bytes.count > 5, bytes[1] == UInt8(ascii: "W"), bytes[2] == UInt8(ascii: "B") else { return }
        guard bytes[3] == UInt8(ascii: "I"), bytes[4] == UInt8(ascii: "L") else { return }
        fatalError("the planted crash")
    }
}
