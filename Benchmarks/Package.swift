// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that users of the library resolve nothing of it.
let package = Package(
    name: "secure-dht-benchmarks",
    dependencies: [
        .package(name: "secure-dht", path: ".."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    ],
    targets: [
        .executableTarget(
            name: "half-killed",
            dependencies: [
                .product(name: "SecureDHT", package: "secure-dht"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/HalfKilled",
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]
        )
    ]
)
