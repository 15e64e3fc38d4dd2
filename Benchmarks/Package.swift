// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

// A package of its own, so that users of the library resolve nothing of it.
let package = Package(
    name: "secure-dht-benchmarks",
    dependencies: [
        .package(name: "secure-dht", path: "..", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    ],
    targets: [
        .target(
            name: "Crowd",
            dependencies: [
                .product(name: "SecureDHT", package: "secure-dht"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "half-killed",
            dependencies: ["Crowd", .product(name: "SecureDHT", package: "secure-dht")],
            path: "Sources/HalfKilled",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "endings",
            dependencies: [
                "Crowd", .product(name: "SecureDHT", package: "secure-dht"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Sources/Endings",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "datagrams",
            dependencies: ["Crowd", .product(name: "SecureDHT", package: "secure-dht")],
            path: "Sources/Datagrams",
            swiftSettings: strict
        ),
        // Forges what no node would send, by what is inside of one.
        .executableTarget(
            name: "outsiders",
            dependencies: [
                .product(name: "SecureDHT", package: "secure-dht"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Outsiders",
            swiftSettings: strict + [.unsafeFlags(["-Xfrontend", "-disable-access-control"])]
        ),
    ]
)
