import Glibc

/// Directories of our own.
enum Directories {
    /// Makes a directory and those it is in, for nobody else's eyes; whoever needs what cannot be made
    /// complains.
    static func make(_ path: String) {
        for end in path.indices where path[end] == "/" && end != path.startIndex {
            unsafe mkdir(String(path[..<end]), 0o700)
        }
        unsafe mkdir(path, 0o700)
    }
}
