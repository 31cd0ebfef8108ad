// swift-tools-version: 6.1
import PackageDescription

// The decoders under libFuzzer. A package of its own, so that no sanitizer flag reaches the product; its sources are the
// product's, by links. `run.sh` builds it, since the driver's library must be found first.

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]
let instrumented = strict + [.unsafeFlags(["-sanitize=fuzzer"])]

let package = Package(
    name: "waybill-fuzz",
    targets: [
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto"),
        .target(name: "CFuzzer"),
        .target(name: "Inventory", dependencies: ["CCrypto"], swiftSettings: strict),
        .target(name: "Ingest", dependencies: ["CLinux", "Inventory"], swiftSettings: instrumented),
        .executableTarget(
            name: "fuzz", dependencies: ["CFuzzer", "Ingest", "Inventory"], swiftSettings: instrumented),
    ],
    swiftLanguageModes: [.v6]
)
