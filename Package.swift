// swift-tools-version: 6.2
import PackageDescription

/// What every target of ours is compiled with: nothing unsafe goes unmarked, nothing suspicious goes by.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// Tests reach into unsafe pointers freely; all else is as strict.
let tested: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

/// What the program `dht` needs, and the library does not.
let commandLine: TargetDependencyCondition? = .when(traits: ["CommandLine"])

/// The commit that is built, as whoever builds says. SwiftPM's own knowledge of it may be of yesterday, since
/// it reads a manifest anew only if that changed.
let commit = Context.environment["DHT_COMMIT"] ?? ""

let package = Package(
    name: "secure-dht",
    products: [
        .library(name: "SecureDHT", targets: ["SecureDHT"]),
        .executable(name: "dht", targets: ["dht"]),
    ],
    traits: [
        .default(enabledTraits: ["CommandLine"]),
        .trait(
            name: "CommandLine",
            description: "The program `dht`. A package that uses the library alone resolves less without."
        ),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.11.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CSodium",
            pkgConfig: "libsodium",
            providers: [.apt(["libsodium-dev"]), .brew(["libsodium"])]
        ),
        .systemLibrary(
            name: "CDigest",
            pkgConfig: "libmd",
            providers: [.apt(["libmd-dev"]), .brew(["libmd"])]
        ),
        .systemLibrary(
            name: "CEdit",
            pkgConfig: "libedit",
            providers: [.apt(["libedit-dev"]), .brew(["libedit"])]
        ),
        .target(name: "CBuild", cSettings: [.define("DHT_COMMIT", to: "\"\(commit)\"")]),
        .target(
            name: "DHTCore",
            swiftSettings: strict
        ),
        .target(
            name: "DHTCrypto",
            dependencies: ["CDigest", "CSodium", "DHTCore"],
            swiftSettings: strict
        ),
        .target(name: "DHTEnvelope", dependencies: ["DHTCore", "DHTCrypto"], swiftSettings: strict),
        .target(
            name: "DHTEngine",
            dependencies: [
                "DHTCore", "DHTCrypto", "DHTEnvelope",
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DHTStorage",
            dependencies: ["DHTCore", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict
        ),
        .target(
            name: "SecureDHT",
            dependencies: [
                "DHTEngine", "DHTStorage",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "DHTSimulator",
            dependencies: [
                "DHTEngine", "DHTStorage",
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            swiftSettings: strict
        ),
        .target(name: "Charts", swiftSettings: strict),
        .target(
            name: "DHTGateway",
            dependencies: [
                "CBuild", "SecureDHT",
                .product(name: "Hummingbird", package: "hummingbird", condition: commandLine),
                .product(name: "HummingbirdCore", package: "hummingbird", condition: commandLine),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            resources: [.embedInCode("Web/Dashboard/page.html")],
            swiftSettings: strict
        ),
        .target(
            name: "DHTConfiguration",
            dependencies: [
                "DHTCrypto", "DHTGateway",
                .product(name: "TOMLKit", package: "TOMLKit", condition: commandLine),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "dht",
            dependencies: [
                "CBuild", "CEdit", "Charts", "SecureDHT", "DHTConfiguration", "DHTGateway", "DHTSimulator",
                "DHTStorage",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ArgumentParser", package: "swift-argument-parser", condition: commandLine),
            ],
            swiftSettings: strict
        ),
        .target(name: "TestKit", dependencies: ["DHTCore"], path: "Tests/TestKit", swiftSettings: tested),
        .testTarget(name: "DHTCoreTests", dependencies: ["DHTCore", "TestKit"], swiftSettings: tested),
        .testTarget(name: "DHTCryptoTests", dependencies: ["DHTCrypto", "TestKit"], swiftSettings: tested),
        .testTarget(
            name: "DHTEnvelopeTests",
            dependencies: ["DHTEnvelope", "TestKit"],
            swiftSettings: tested
        ),
        .testTarget(
            name: "DHTEngineTests",
            dependencies: ["DHTEngine", "DHTSimulator", "DHTStorage", "TestKit"],
            swiftSettings: tested
        ),
        .testTarget(
            name: "DHTStorageTests",
            dependencies: ["DHTStorage", "TestKit", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: tested
        ),
        .testTarget(name: "DHTSimulatorTests", dependencies: ["DHTSimulator"], swiftSettings: tested),
        .testTarget(name: "ChartsTests", dependencies: ["Charts"], swiftSettings: tested),
        .testTarget(
            name: "SecureDHTTests",
            dependencies: [
                "SecureDHT", "TestKit",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: tested
        ),
        .testTarget(name: "DHTGatewayTests", dependencies: ["DHTGateway", "TestKit"], swiftSettings: tested),
        .testTarget(
            name: "DHTConfigurationTests",
            dependencies: ["DHTConfiguration", "TestKit"],
            swiftSettings: tested
        ),
        .testTarget(name: "TidyTests", swiftSettings: tested),
        .testTarget(
            name: "IntegrationTests",
            dependencies: ["dht", "DHTConfiguration", "DHTEnvelope", "DHTStorage", "TestKit"],
            swiftSettings: tested
        ),
    ]
)

// Fuzzing needs libFuzzer's runtime, so its targets are here only when asked for: `make fuzz`.
if Context.environment["DHT_FUZZ"] != nil {
    package.targets += [
        .target(name: "CFuzzer", path: "Fuzz/CFuzzer"),
        .executableTarget(
            name: "fuzz",
            dependencies: ["CFuzzer", "DHTCore", "DHTCrypto", "DHTEnvelope"],
            path: "Fuzz",
            exclude: ["CFuzzer", "seeds.py"],
            swiftSettings: strict
        ),
    ]
}

// The plugin that makes the documentation is of no use to users of the package: `make docs`.
if Context.environment["DHT_DOCS"] != nil {
    package.dependencies.append(
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0")
    )
}
