import SecureDHT

/// The error of the control socket and of the command line: a code, and one line for people.
package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The codes of ``DHTError``, and `notFound`, which for the library is no error.
    package enum Code: String, CaseIterable, Codable, Sendable {
        case `internal`
        case invalidArgument
        case notFound
        case conflict
        case denied
        case unreachable
        case partial
        case integrity
        case configuration

        /// The exit code of a command that ends so: `docs/cli.md`.
        package var exit: Int32 {
            switch self {
            case .internal: 1
            case .invalidArgument: 2
            case .notFound: 3
            case .conflict: 4
            case .denied: 5
            case .unreachable: 6
            case .partial: 7
            case .integrity: 8
            case .configuration: 9
            }
        }
    }

    package let code: Code
    /// One line: where, what, what to do. Holds no secret.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        // Names, paths and keys from elsewhere end up here, and the line is printed.
        self.message = printable(message)
    }

    package init(_ error: DHTError) {
        self.init(Code(error.code), error.reason + (error.remedy?.words ?? ""))
    }

    /// Any error: ours as it is, others as a defect.
    package init(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as DHTError: self.init(error)
        default: self.init(.internal, "\(error)")
        }
    }

    package var description: String { message }
}

extension Failure.Code {
    package init(_ code: DHTError.Code) {
        switch code {
        case .invalidArgument: self = .invalidArgument
        case .conflict: self = .conflict
        case .denied: self = .denied
        case .unreachable, .stopped: self = .unreachable
        case .partial, .timedOut: self = .partial
        case .integrity: self = .integrity
        case .configuration: self = .configuration
        default: self = .internal
        }
    }
}

extension DHTError.Remedy {
    /// The advice to somebody at the command line, as the end of the sentence.
    fileprivate var words: String {
        switch self {
        case .peers: ". See: dht peers"
        case .status: ". See: dht status"
        case .reading: ". Read it back: dht get --meta"
        case .lifetime: " (--ttl)"
        case .keepingFewer: ". Put it without --keep, or delete others: dht ls --own"
        case .administrator:
            ". On the machine that has it, or: dht roster export; dht roster sign FILE; dht roster push FILE"
        case .listening: ". Give another --listen HOST:PORT; port 0 takes a free one"
        }
    }
}

/// A failure as JSON: `{"schema":1,"error":{"code":…,"exit":…,"message":…}}`.
package struct FailureReply: Codable, Sendable {
    package struct Cause: Codable, Sendable {
        package var code: Failure.Code
        package var exit: Int32
        package var message: String
    }

    package private(set) var schema = 1
    package var error: Cause

    package init(_ failure: Failure) {
        error = Cause(code: failure.code, exit: failure.code.exit, message: failure.message)
    }

    /// The failure that the other side of the socket told.
    package var failure: Failure { Failure(error.code, error.message) }
}
