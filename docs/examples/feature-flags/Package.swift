// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "feature-flags",
    products: [.executable(name: "feature-flags", targets: ["FeatureFlags"])],
    dependencies: [
        // Of a package of your own: .package(url: "https://…/secure-dht", from: "0.1.0", traits: []).
        .package(name: "secure-dht", path: "../../..", traits: []),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.11.0"),
    ],
    targets: [
        .executableTarget(
            name: "FeatureFlags",
            dependencies: [
                .product(name: "SecureDHT", package: "secure-dht"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: [
                .swiftLanguageMode(.v6),
                .enableUpcomingFeature("MemberImportVisibility"),
                .treatAllWarnings(as: .error),
            ]
        )
    ]
)
