import CEdit
import Glibc

/// Functions of keys: libedit's, else ours. The user's `~/.editrc` comes after that, and wins.
enum LineKeys {
    /// Keys that people press and libedit has no function for, or another one.
    private static let keys = [
        ("^U", "vi-kill-line-prev"), ("^W", "ed-delete-prev-word"),
        ("^R", "em-inc-search-prev"), ("^S", "em-inc-search-next"),
        ("\\e[1;5C", "em-next-word"), ("\\e[1;5D", "ed-prev-word"),
        ("\\e[1;3C", "em-next-word"), ("\\e[1;3D", "ed-prev-word"),
        ("\\e[1~", "ed-move-to-beg"), ("\\e[4~", "ed-move-to-end"),
        ("\\e[H", "ed-move-to-beg"), ("\\e[F", "ed-move-to-end"),
        ("^B", "dht-left"), ("^F", "dht-right"), ("^H", "dht-delete-left"), ("^?", "dht-delete-left"),
        ("\\e[3~", "dht-delete-right"),
        ("\\e[D", "dht-left"), ("\\e[C", "dht-right"), ("\\eOD", "dht-left"), ("\\eOC", "dht-right"),
    ]
    /// Those that are there whatever keys a user likes: without them ^C would be a letter.
    private static let needed = [
        ("^C", "dht-drop"), ("^I", "dht-complete"), ("^D", "dht-delete-right-or-end"),
    ]
    /// The terminal's mark of the beginning of a paste.
    private static let pasteStart = "\\e[200~"

    /// Returns whether what is pasted can be told from what is typed. With the keys of vi Escape is a key of
    /// its own, and nothing can begin with it.
    static func bind(_ edit: OpaquePointer) -> Bool {
        unsafe add(edit)
        for (key, function) in keys + needed + [(pasteStart, "dht-paste")] {
            unsafe dht_edit_bind(edit, key, function)
        }
        unsafe el_source(edit, nil)
        guard unsafe dht_edit_has_vi_keys(edit) != 0 else { return true }
        // They come with none of ours.
        for (key, function) in needed {
            unsafe dht_edit_bind(edit, key, function)
            unsafe dht_edit_bind_in_commands(edit, key, function)
        }
        return false
    }

    private static func add(_ edit: OpaquePointer) {
        unsafe dht_edit_add(edit, "dht-left") { edit, _ in unsafe LineKeys.call(edit) { $0.moveLeft() } }
        unsafe dht_edit_add(edit, "dht-right") { edit, _ in unsafe LineKeys.call(edit) { $0.moveRight() } }
        unsafe dht_edit_add(edit, "dht-delete-left") { edit, _ in
            unsafe LineKeys.call(edit) { $0.deleteLeft() }
        }
        unsafe dht_edit_add(edit, "dht-delete-right") { edit, _ in
            unsafe LineKeys.call(edit) { $0.deleteRight() }
        }
        unsafe dht_edit_add(edit, "dht-delete-right-or-end") { edit, _ in
            unsafe LineKeys.call(edit) { $0.deleteRightOrEnd() }
        }
        unsafe dht_edit_add(edit, "dht-drop") { edit, _ in unsafe LineKeys.call(edit) { $0.drop() } }
        unsafe dht_edit_add(edit, "dht-paste") { edit, _ in unsafe LineKeys.call(edit) { $0.paste() } }
        unsafe dht_edit_add(edit, "dht-complete") { edit, _ in unsafe LineKeys.call(edit) { $0.complete() } }
    }

    private static func call(_ edit: OpaquePointer?, _ body: (LineEditor) -> Int32) -> UInt8 {
        unsafe UInt8(LineEditor.of(edit).map(body) ?? CC_ERROR)
    }
}
