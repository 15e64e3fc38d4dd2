import Hummingbird
import NIOCore
import SecureDHT

extension ControlRoutes {
    /// The most bytes of a roster's file that are read: more than it may have, so that its reader refuses it.
    static let largestRoster = 9 << 20

    /// Routes about membership.
    static func addMembers(to root: RouterGroup<ControlContext>, _ node: some NodeControl) {
        root.get("members") { _, _ in try await reply(node.members()) }
        root.post("members/:peer") { request, context in
            try refuseUnknown(request, besides: ["name", "addr"])
            let parameters = request.uri.queryParameters
            guard let name = parameters["name"] else {
                throw Failure(.invalidArgument, "name= is missing: what to call the member")
            }
            let addresses = parameters[values: "addr"].map { String($0) }
            return try await reply(node.admit(peer(context), name: String(name), addresses: addresses))
        }
        root.delete("members/:peer") { _, context in try await reply(node.revoke(peer(context))) }
        root.post("invitations") { request, _ in
            try refuseUnknown(request, besides: ["name", "seconds", "addr"])
            let parameters = request.uri.queryParameters
            guard let name = parameters["name"] else {
                throw Failure(.invalidArgument, "name= is missing: what to call the machine")
            }
            let seconds: UInt32 = try parameters["seconds"].map { try number($0, for: "seconds") } ?? 900
            let addresses = parameters[values: "addr"].map { String($0) }
            return try await reply(node.invite(String(name), seconds: seconds, addresses: addresses))
        }
        root.get("roster") { _, _ in try await reply(node.roster()) }
        root.put("roster") { request, _ in
            let body = try await request.body.collect(upTo: largestRoster)
            return try await reply(node.push(Array(body.readableBytesView)))
        }
    }
}
