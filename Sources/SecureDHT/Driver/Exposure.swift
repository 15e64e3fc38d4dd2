import DHTCrypto
import Glibc

/// Files and directories that decide about a node: nobody but their owner, root or ourselves, may change
/// them.
package enum Exposure {
    /// The fault of a file or directory that others may change, and the command that mends it; `nil`: none.
    ///
    /// - Parameter isShared: Whether it may be a directory for everybody in which each keeps what is his own.
    package static func problem(_ status: stat, _ path: String, isShared: Bool = false) -> String? {
        if let problem = SecretFile.ownerProblem(status, path) { return problem }
        if status.st_mode & S_IWOTH != 0, !(isShared && status.st_mode & S_ISVTX != 0) {
            let digits = String(status.st_mode & 0o7777, radix: 8)
            return "may be changed by everybody (0\(digits)). Fix: chmod o-w \(path)"
        }
        return nil
    }

    /// Refuses an open file, and the directory it is in: who may write there may put another one in its
    /// place.
    package static func refuse(_ file: Int32, _ path: String) throws(DHTError) {
        var status = stat()
        // A pipe is of whoever started us.
        guard unsafe fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return }
        if let problem = problem(status, path) { throw DHTError(.denied, "\(path) \(problem)") }
        let directory = SecretFile.directory(of: path)
        var place = stat()
        guard unsafe stat(directory, &place) == 0, place.st_mode & S_IWOTH != 0,
            let problem = Self.problem(place, directory, isShared: true)
        else { return }
        throw DHTError(.denied, "\(directory), in which \(path) is, \(problem)")
    }

    /// Refuses a node's directory, if it is there.
    static func refuse(directory: String) throws(DHTError) {
        var status = stat()
        guard unsafe stat(directory, &status) == 0, let problem = problem(status, directory) else { return }
        throw DHTError(.denied, "\(directory) \(problem)")
    }
}
