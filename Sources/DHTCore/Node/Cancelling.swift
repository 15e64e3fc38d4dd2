// Calls and operations that nobody waits for any more.

extension KademliaNode {
    /// Whether anybody still wants to know how a call ends.
    package func awaits(_ callID: CallID) -> Bool {
        guard let call = calls[callID] else { return false }
        switch call.purpose {
        case .put(let put), .passing(let put): return puts.isUnderWay(put)
        default: return true
        }
    }

    /// A call that nobody waited for was ended before it had its answer.
    package mutating func dropped(_ callID: CallID) {
        _ = calls.end(callID)
    }

    /// The peer of a call is admitted no more: there is no answer, and nothing is learned of the peer.
    package mutating func expelled(_ callID: CallID, in turn: inout KademliaTurn) {
        guard let call = calls.end(callID) else { return }
        membership.verifications.end(call.contact)
        endedUnanswered(call, in: &turn)
    }

    /// The peer answered that it needs more time: it is not silent.
    package mutating func heard(_ callID: CallID) {
        calls.extend(callID)
    }

    /// The user wants an operation no more: it ends without an outcome. `false` if no operation of that name
    /// can end so. Requests that were sent are answered or run out, and then count for nothing.
    package mutating func cancel(_ name: OperationID) -> Bool {
        var isOver = membership.joining.cancel(name)
        if puts.end(name) != nil { isOver = true }
        for search in searches.names(where: { $0.operation == name }) {
            searches[search] = nil
            isOver = true
        }
        return isOver
    }
}

extension Search.Client {
    /// The operation whose lookup this is; `nil`: a lookup of the node's own.
    fileprivate var operation: OperationID? {
        switch self {
        case .put(let name), .get(let name), .peer(let name, _): name
        case .join, .refresh, .rescue: nil
        }
    }
}
