// swift-tools-version: 6.2
import Foundation
import PackageDescription

let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

/// What is measured inside of a node is `package` there, and a package is named by its folder.
let folder = URL(filePath: Context.packageDirectory).deletingLastPathComponent().lastPathComponent
let inside = folder.lowercased().replacing("-", with: "_")

// A package of its own, so that users of the library resolve nothing of it.
let package = Package(
    name: "secure-dht-benchmarks",
    dependencies: [
        .package(name: "secure-dht", path: ".."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    ],
    targets: [
        .target(
            name: "Crowd",
            dependencies: [
                .product(name: "SecureDHT", package: "secure-dht"),
                .product(name: "Logging", package: "swift-log"),
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
            name: "datagrams",
            dependencies: ["Crowd", .product(name: "SecureDHT", package: "secure-dht")],
            path: "Sources/Datagrams",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "outsiders",
            dependencies: [.product(name: "SecureDHT", package: "secure-dht")],
            path: "Sources/Outsiders",
            swiftSettings: strict + [.unsafeFlags(["-Xfrontend", "-disable-access-control"])]
        ),
    ]
)
