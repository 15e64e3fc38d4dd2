// What nobody waits for any more.

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

    /// The peer answered that it needs more time: it is not silent.
    package mutating func heard(_ callID: CallID) {
        calls.extend(callID)
    }

    /// Whoever asked for an operation wants it no more: it ends without an outcome. `false` if there is none
    /// of that name that can end so. What was sent is answered or runs out, and then counts for nothing.
    package mutating func cancel(_ name: OperationID) -> Bool {
        var isOver = membership.joining.cancel(name)
        if puts.end(name) != nil { isOver = true }
        for (search, state) in searches where state.client.operation == name {
            searches[search] = nil
            isOver = true
        }
        return isOver
    }
}

extension Search.Client {
    /// Whose lookup it is.
    fileprivate var operation: OperationID? {
        switch self {
        case .put(let name), .get(let name), .peer(let name, _): name
        case .join, .refresh, .rescue: nil
        }
    }
}
