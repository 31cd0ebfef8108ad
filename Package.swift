// swift-tools-version: 6.1
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func product(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "waybill",
    products: [.executable(name: "waybill", targets: ["waybill"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CMosquitto", pkgConfig: "libmosquitto", providers: [.apt(["libmosquitto-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CTLS", pkgConfig: "libssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

        product("SQLite", ["CSQLite"]),
        product("Inventory", ["CCrypto"]),
        product("Contract", ["Inventory", "CCrypto"]),
        product("Ingest", ["Inventory", "SQLite", "CSQLite", "CZlib", "CLinux"]),
        product("Outbox", ["Inventory", "SQLite"]),
        product("MQTT", ["CMosquitto", "CLinux"]),
        product("Delivery", ["Contract", "Inventory", "Outbox", "MQTT", "CLinux"]),
        product("Receiver", ["Contract", "Inventory", "MQTT", "SQLite", "CLinux"]),
        product(
            "Agent",
            [
                "CLinux", "CMosquitto", "CSQLite", "CTLS", "Contract", "Delivery", "Ingest", "Inventory", "MQTT",
                "Outbox", "Receiver", "SQLite",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "TOMLKit", package: "TOMLKit"),
            ]),
        .executableTarget(
            name: "waybill",
            dependencies: [
                "Agent", "Delivery", "Inventory", "Receiver",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),

        .executableTarget(
            name: "waybill-bench",
            dependencies: [
                "Agent", "CLinux", "Contract", "Ingest", "Inventory", "MQTT", "Outbox", "Receiver", "SQLite",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks", exclude: ["Fuzz"], swiftSettings: strict),

        .target(name: "SeededRandom", path: "Tests/SeededRandom", swiftSettings: strict),
        // For tests that block: their pool is shared by all.
        .target(name: "OwnThread", path: "Tests/OwnThread", swiftSettings: strict),
        tests("InventoryTests", ["Inventory", "SeededRandom"]),
        tests("SQLiteTests", ["SQLite"]),
        tests("IngestTests", ["CZlib", "Ingest", "Inventory", "OwnThread", "SQLite", "SeededRandom"]),
        .target(name: "CFaultVFS", dependencies: ["CSQLite"], path: "Tests/CFaultVFS"),
        tests("OutboxTests", ["CFaultVFS", "Inventory", "Outbox", "OwnThread", "SQLite", "SeededRandom"]),
        tests("MQTTTests", ["MQTT", "OwnThread"]),
        tests("ContractTests", ["Contract", "Inventory", "SeededRandom"]),
        tests("DeliveryTests", ["Contract", "Delivery", "Inventory", "MQTT", "Outbox"]),
        tests("ReceiverTests", ["Contract", "Inventory", "MQTT", "Receiver", "SQLite", "SeededRandom"]),
        tests(
            "AgentTests",
            [
                "Agent", "CLinux", "Contract", "Delivery", "Ingest", "Inventory", "MQTT", "Outbox",
                "OwnThread", "Receiver", "SQLite",
                .product(name: "Logging", package: "swift-log"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
