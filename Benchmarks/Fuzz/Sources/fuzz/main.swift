import CFuzzer
import Glibc

// fuzz TARGET [libFuzzer's arguments]: the decoder named TARGET reads what the fuzzer makes up.

guard Target.chosen != nil else {
    print("fuzz \(Target.all.map(\.name).joined(separator: "|")) [-max_total_time=60] [corpus …]")
    exit(64)
}

// What is left is the driver's.
var count = CommandLine.argc - 1
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv + 1

exit(
    LLVMFuzzerRunDriver(&count, &arguments) { data, size in
        let bytes = Array(UnsafeBufferPointer(start: data, count: size))
        PlantedCrash.look(at: bytes)
        Target.chosen?.run(bytes)
        return 0
    })
